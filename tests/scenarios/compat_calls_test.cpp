// probes.compat-calls: what tracepoints show of the 32-bit table where the configuration lets every system
// call pay for it. fentry shows it without.
#include <doctest/doctest.h>

#include <algorithm>

#include "daemon.h"
#include "deed.h"

namespace iptrackd::scenario {
namespace {

void check_with_compat_calls(const Words &words, const Adjust &adjust = {}) {
  Daemon daemon{{.drop_in = "probes: {compat-calls: true}\n"}};
  const std::int64_t since = now_us();
  Facts facts = facts_of(oracle(words));
  if (adjust) std::for_each(facts.begin(), facts.end(), adjust);
  check_facts(daemon.rows(), facts, since);
}

}  // namespace

TEST_CASE("compat calls: accept by int 0x80") {
  check_with_compat_calls({"accept", "way=int80"});
}
TEST_CASE("compat calls: accept by socketcall") {
  check_with_compat_calls({"accept", "way=socketcall", "call=accept4", "family=6"});
}
TEST_CASE("compat calls: exec of a 32-bit program that fails") {
  check_with_compat_calls({"small32", "do=exec-missing"}, [](Json &event) {
    if (settings().mechanism == "tracepoint" && event.at("result") != 0) event["marks"] = {"untrusted"};
  });
}
TEST_CASE("compat calls: accept of a 32-bit program") {
  check_with_compat_calls({"small32", "do=accept"});
}

}  // namespace iptrackd::scenario
