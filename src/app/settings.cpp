#include "app/settings.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

#include "config/load.h"
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
  return options;
}

loader::SelfTestReport self_test(loader::Tracer &tracer, const config::Config &config) {
  return loader::run_self_test(tracer,
                               {tracer_options(config).probes, [&tracer] { loader::drain_rings(tracer); }});
}

loader::RingReaderOptions ring_reader_options(const config::Config &config) {
  return {.drain_interval = config.ring_buffer.drain_interval};
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

Pool::Options pool_options(const config::Config &config) {
  const auto &[records, push_wait] = config.log_pool;
  Pool::Options options;
  options.min = records.min;
  options.max = records.max;
  options.delta = records.delta;
  options.push_wait = {push_wait.min, push_wait.max, push_wait.delta, push_wait.grow_threshold};
  return options;
}

sink::Writer::Options writer_options(const config::Config &config) {
  const auto &batch = config.database.batch;
  const std::size_t most = config.log_pool.records.max;
  sink::Writer::Options options;
  options.rows = batch.rows;
  // A batch that held all records of a small pool would stop the sources until it is stored.
  if (most != 0) options.rows = std::clamp<std::size_t>(most / 2, 1, options.rows);
  options.bytes = batch.bytes;
  options.linger = batch.linger;
  return options;
}

sink::PostgresqlOptions postgresql_options(const config::Config &config) {
  sink::PostgresqlOptions options;
  options.connection = config.database.connection;
  options.schema = config.database.schema;
  return options;
}

Result<std::unique_ptr<sink::Sink>> make_sink(const config::Config &config) {
  auto boot = boot_id();
  if (!boot) return tl::unexpected{boot.error()};
  sink::Origin origin{config.host_name, std::move(*boot)};
  if (config.database.driver == config::Driver::jsonl) {
    return std::make_unique<sink::JsonlSink>(config.database.filename, std::move(origin));
  }
  return std::make_unique<sink::PostgresqlSink>(
      postgresql_options(config), std::move(origin),
      sink::PostgresqlSink::Description{IPTRACKD_VERSION, kernel_release()});
}

std::vector<std::string> without_effect(const config::Config &config) {
  std::vector<std::string> sentences;
  if (!config.whitelist.network.empty() || !config.whitelist.exec.empty()) {
    sentences.emplace_back("whitelist: this version applies no rules; every event is reported");
  }
  if (config.metrics.listen) sentences.emplace_back("metrics: this version has no metrics listener");
  return sentences;
}

}  // namespace iptrackd::app
