// `iptrackd check`: would `run` work here? One line a finding.
#include <fmt/core.h>

#include "app/check_whitelist.h"
#include "app/findings.h"
#include "app/log.h"
#include "app/settings.h"
#include "app/verbs.h"
#include "sink/schema.h"

namespace iptrackd::app {
namespace {

void check_redaction(const config::Config &config, Findings &findings) {
  const auto redactor = make_redactor(config);
  if (!redactor) return findings.bad("redact", redactor.error().message());
  findings.good("redact", fmt::format("{} rules", config.redact.size()));
}

// What the file says, whichever host it is for.
void check_text(const ConfigFile &file, const config::Config &config, Findings &findings) {
  findings.good("configuration", file.path);
  for (const auto &sentence : without_effect(config)) findings.note("configuration", sentence);
  check_redaction(config, findings);
}

void check_fifo(const config::Config &config, Findings &findings) {
  const auto fifo = pam::FifoReader::create(fifo_options(config));
  if (!fifo) return findings.bad("pam", fifo.error().message());
  findings.good("pam", config.pam.fifo_file + " is ours to create");
}

void check_kernel(const config::Config &config, Findings &findings) {
  const auto tracer = loader::Tracer::start(tracer_options(config));
  if (!tracer) return findings.bad("kernel", tracer.error().message());
  const auto report = self_test(**tracer, config);
  const auto failures = report.failures((*tracer)->hooks());
  for (const auto &sentence : failures) findings.bad("kernel", sentence);
  if (!report.remark.empty()) findings.note("self-test", report.remark);
  for (const auto name : report.unseen_ways) {
    findings.note("self-test", fmt::format("these hooks do not show: {}", name));
  }
  for (const auto *status : report.untested) {
    findings.note("self-test", status->target + " was not tested: its deed cannot be performed here");
  }
  if (failures.empty()) findings.good("kernel", "every hook is attached and sees its deeds");
}

void check_jsonl(const config::Config &config, Findings &findings) {
  const auto origin = origin_of(config);
  if (!origin) return findings.bad("host", origin.error().message());
  const auto opened = make_sink(config)->open({}, *origin, {});
  if (!opened) return findings.bad("database", opened.error().message());
  findings.good("database", "jsonl to " + config.database.filename);
}

void check_database(const config::Config &config, Findings &findings) {
  if (config.database.driver == config::Driver::jsonl) return check_jsonl(config, findings);
  const auto state = sink::check_schema(postgresql_options(config), {});
  if (!state) return findings.bad("database", state.error().message());
  for (const auto &finding : state->findings) findings.bad("database", finding);
  if (state->findings.empty()) {
    findings.good("database", fmt::format("schema version {}, partitions for {} days ahead", state->version,
                                          state->days_ahead));
  }
}

}  // namespace

int check_offline(const ConfigFile &file) {
  const auto config = load_config(file);
  if (!config) return report(config.error());
  Findings findings;
  check_text(file, *config, findings);
  // Whether its programs exist is a question to the host that it is for.
  findings.good("whitelist", count_of(config->whitelist));
  return findings.failed() ? 2 : 0;
}

int check(const ConfigFile &file) {
  const auto config = load_config(file);
  if (!config) return report(config.error());
  Findings findings;
  check_text(file, *config, findings);
  check_whitelist(config->whitelist, findings);
  check_fifo(*config, findings);
  check_kernel(*config, findings);
  check_database(*config, findings);
  return findings.failed() ? 1 : 0;
}

}  // namespace iptrackd::app
