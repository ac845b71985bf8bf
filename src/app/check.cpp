// `iptrackd check`: would `run` work here? One line a finding.
#include <fmt/core.h>

#include <iostream>

#include "app/log.h"
#include "app/settings.h"
#include "app/verbs.h"
#include "sink/schema.h"

namespace iptrackd::app {
namespace {

class Findings {
 public:
  void good(std::string_view what, std::string_view text) { print("ok", what, text); }
  void note(std::string_view what, std::string_view text) { print("note", what, text); }
  void bad(std::string_view what, std::string_view text) {
    print("FAIL", what, text);
    failed_ = true;
  }
  [[nodiscard]] bool failed() const noexcept { return failed_; }

 private:
  static void print(std::string_view verdict, std::string_view what, std::string_view text) {
    std::cout << fmt::format("{:<4}  {:<13}  {}\n", verdict, what, printable(text));
  }
  bool failed_ = false;
};

void check_redaction(const config::Config &config, Findings &findings) {
  const auto redactor = make_redactor(config);
  if (!redactor) return findings.bad("redact", redactor.error().message());
  findings.good("redact", fmt::format("{} rules", config.redact.size()));
}

void check_fifo(const config::Config &config, Findings &findings) {
  const auto fifo = pam::FifoReader::create(fifo_options(config));
  if (!fifo) return findings.bad("pam", fifo.error().message());
  findings.good("pam", config.pam.fifo_file + " is ours to create");
}

void check_kernel(const config::Config &config, Findings &findings) {
  const auto tracer = loader::Tracer::start(tracer_options(config));
  if (!tracer) return findings.bad("kernel", tracer.error().message());
  std::size_t attached = 0;
  for (const auto &status : (*tracer)->hooks()) {
    if (status.state == loader::HookState::attached) ++attached;
    if (status.state != loader::HookState::refused) continue;
    findings.bad("kernel", fmt::format("{} is refused, so there will be no {}: {}", status.target,
                                       status.hook->purpose, status.reason));
  }
  if (attached > 0) findings.good("kernel", fmt::format("{} hooks attached", attached));
}

void check_jsonl(const config::Config &config, Findings &findings) {
  const auto sink = make_sink(config);
  const auto opened = sink.and_then([](const auto &made) { return made->open({}); });
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

int check(const ConfigFile &file) {
  const auto config = load_config(file);
  if (!config) return report(config.error());
  Findings findings;
  findings.good("configuration", file.path);
  for (const auto &sentence : without_effect(*config)) findings.note("configuration", sentence);
  check_redaction(*config, findings);
  check_fifo(*config, findings);
  check_kernel(*config, findings);
  check_database(*config, findings);
  return findings.failed() ? 1 : 0;
}

}  // namespace iptrackd::app
