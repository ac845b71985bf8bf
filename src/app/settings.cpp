#include "app/settings.h"

#include <spdlog/spdlog.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

#include "config/load.h"
#include "core/clock.h"
#include "iptrackd/build_options.h"
#include "sink/jsonl_sink.h"
#include "sink/postgresql_sink.h"

namespace iptrackd::app {
namespace {

std::string kernel_release() {
  utsname names{};
  return uname(&names) == 0 ? names.release : "";
}

Result<std::string> boot_id() {
  std::ifstream file{"/proc/sys/kernel/random/boot_id"};
  std::string id;
  if (!std::getline(file, id))
    return fail(Fault::environment, "cannot read /proc/sys/kernel/random/boot_id; is /proc mounted?");
  return id;
}

std::string node_name() {
  utsname names{};
  return uname(&names) == 0 ? names.nodename : "localhost";
}

}  // namespace

Result<config::Config> load_config(const ConfigFile &file, Missing missing) {
  if (missing == Missing::means_defaults && !file.given && access(file.path.c_str(), F_OK) != 0 &&
      errno == ENOENT) {
    config::Config defaults;
    defaults.host_name = node_name();
    return defaults;
  }
  return config::load(file.path);
}

namespace {

loader::Choice choice_of(config::Mechanism mechanism) {
  switch (mechanism) {
    case config::Mechanism::automatic:
      return loader::Choice::automatic;
    case config::Mechanism::fentry:
      return loader::Choice::fentry;
    case config::Mechanism::tracepoint:
      return loader::Choice::tracepoint;
  }
  return loader::Choice::automatic;
}

}  // namespace

loader::TracerOptions tracer_options(const config::Config &config) {
  const auto &from = config.probes;
  loader::TracerOptions options;
  options.probes = {from.exec,        from.tcp_connect, from.tcp_accept, from.tcp_bind,    from.tcp_close,
                    from.udp_connect, from.udp_bind,    from.udp_close,  from.compat_calls};
  options.mechanism = choice_of(from.mechanism);
  options.args_max_bytes = from.args_max_bytes;
  options.ring_bytes = config.ring_buffer.size;
  options.user_budget = config.ring_buffer.user_budget;
  return options;
}

loader::TracerOptions daemon_tracer_options(const config::Config &config) {
  loader::TracerOptions options = tracer_options(config);
  options.pin_directory = config.bpf.pin_directory;
  options.keep_on_exit = config.bpf.keep_on_exit;
  return options;
}

loader::SelfTestReport self_test(loader::Tracer &tracer, const config::Config &config) {
  return loader::run_self_test(tracer,
                               {tracer_options(config).probes, [&tracer] { loader::drain_rings(tracer); }});
}

loader::RingReaderOptions ring_reader_options(const config::Config &config, const spool::Spool &spool) {
  loader::RingReaderOptions options;
  options.drain_interval = config.ring_buffer.drain_interval;
  for (const auto &[ring, position] : spool.recovery().ring_marks) options.held.emplace(ring, position);
  return options;
}

Result<loader::Redactor> make_redactor(const config::Config &config) {
  std::vector<loader::Redactor::Rule> rules;
  for (const auto &rule : config.redact) rules.push_back({rule.exe, rule.pattern, rule.at.to_string()});
  return loader::Redactor::create(rules);
}

pam::FifoReader::Options fifo_options(const config::Config &config) {
  pam::FifoReader::Options options;
  options.path = config.pam.fifo_file;
  return options;
}

Pool::Options pool_options(const config::Config &config, const spool::Spool &spool) {
  const auto &[records, push_wait] = config.log_pool;
  Pool::Options options;
  options.min = records.min;
  options.max = records.max;
  options.delta = records.delta;
  options.push_wait = {push_wait.min, push_wait.max, push_wait.delta, push_wait.grow_threshold};
  options.last_seq = spool.recovery().last_seq;
  options.on_full = [](std::chrono::seconds waited) {
    spdlog::warn("no free record in the pool for {} s: the spool's disk does not keep up", waited.count());
  };
  return options;
}

sink::Writer::Options writer_options(const config::Config &config) {
  const auto &batch = config.database.batch;
  sink::Writer::Options options;
  options.batch = {batch.rows, batch.bytes, batch.linger};
  return options;
}

std::string rejects_file(const config::Config &config) {
  return config.spool.directory + "/rejected.jsonl";
}

Result<Origin> origin_of(const config::Config &config) {
  auto boot = boot_id();
  if (!boot) return tl::unexpected{boot.error()};
  return Origin{config.host_name, std::move(*boot)};
}

spool::Options spool_options(const config::Config &config, const Origin &origin, loader::Tracer &tracer) {
  spool::Options options;
  options.directory = config.spool.directory;
  options.max_size = config.spool.max_size;
  options.sync_interval = config.spool.sync_interval;
  options.retain = config.spool.retain;
  options.origin = origin;
  options.ring_generation = tracer.counters_id();
  for (const loader::Ring &ring : tracer.rings()) options.rings.push_back({ring.id(), ring.cursor()});
  return options;
}

pam::Witnesses::Options witness_options(const config::Config &config, const loader::Tracer &tracer) {
  pam::Witnesses::Options options;
  const bool is_old = tracer.arrival() != loader::Arrival::fresh;
  if (config.probes.exec) options.watched_since = is_old ? 0 : boot_time_ns();
  return options;
}

sink::PostgresqlOptions postgresql_options(const config::Config &config) {
  sink::PostgresqlOptions options;
  options.connection = config.database.connection;
  options.schema = config.database.schema;
  return options;
}

std::unique_ptr<sink::Sink> make_sink(const config::Config &config) {
  if (config.database.driver == config::Driver::jsonl) {
    return std::make_unique<sink::JsonlSink>(config.database.filename);
  }
  return std::make_unique<sink::PostgresqlSink>(
      postgresql_options(config), sink::PostgresqlSink::Description{IPTRACKD_VERSION, kernel_release()});
}

std::vector<std::string> without_effect(const config::Config &config) {
  std::vector<std::string> sentences;
  if (config.metrics.listen) sentences.emplace_back("metrics: this version has no metrics listener");
  return sentences;
}

}  // namespace iptrackd::app
