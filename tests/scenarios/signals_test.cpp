#include <doctest/doctest.h>

#include <regex>

#include "compare.h"
#include "daemon.h"
#include "deed.h"

namespace iptrackd::scenario {
namespace {

// Nothing is waited for between the deed and the signal: what is still buffered must be flushed.
void check_flush(int signal) {
  Daemon daemon;
  const std::int64_t since = now_us();
  const Facts facts = facts_of(oracle({"close", "sent=12345"}));
  const Ended ended = daemon.stop(signal);
  CAPTURE(ended.err);
  CHECK(ended.status == 0);
  // It says what happened: how many rows were written.
  CHECK(std::regex_search(ended.out + ended.err, std::regex{R"(\d+ (rows|events))"}));
  std::set<int> pids;
  for (const Json &expected : facts) pids.insert(expected.at("pid").get<int>());
  const auto rows = daemon.rows().of_processes(pids, since);
  for (const std::string &difference : differences(facts, rows)) FAIL_CHECK(difference);
  CHECK_FALSE(std::filesystem::exists(daemon.directory() / "control.sock"));
  CHECK_FALSE(has_pins(daemon.prepared()));
}

}  // namespace

TEST_CASE("signals: SIGTERM flushes what is buffered") {
  check_flush(SIGTERM);
}

TEST_CASE("signals: Ctrl-C flushes what is buffered") {
  check_flush(SIGINT);
}

}  // namespace iptrackd::scenario
