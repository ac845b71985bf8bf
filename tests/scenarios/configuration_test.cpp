// What the keys of the configuration do to what is recorded, to where it is kept and to what is said. Those
// of the stages between kernel and database: configuration_stages_test.cpp.
#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "compare.h"
#include "daemon.h"
#include "deed.h"

namespace iptrackd::scenario {
namespace {

using std::chrono::seconds;

bool said_of(const Daemon &daemon, const std::string &words) {
  return daemon.said().find(words) != std::string::npos;
}

// "udp-bind" and the like: the probe that FACT, a row or what an oracle expects of one, is due to.
std::string probe_of(const Json &fact) {
  const auto kind = fact.at("kind").get<std::string>();
  return kind == "exec" ? kind : fact.at("proto").get<std::string>() + "-" + kind;
}

Counts by_probe(const std::vector<Json> &facts) {
  Counts counts;
  for (const Json &fact : facts) ++counts[probe_of(fact)];
  return counts;
}

std::set<int> processes_of(const Facts &facts) {
  std::set<int> pids;
  for (const Json &fact : facts) pids.insert(fact.at("pid").get<int>());
  return pids;
}

// Something for each probe.
Facts facts_for_every_probe() {
  Facts facts;
  for (const Words &words : {Words{"connect"}, Words{"connect", "proto=udp"}, Words{"accept"}, Words{"bind"},
                             Words{"bind", "proto=udp"}, Words{"close"}, Words{"close", "proto=udp"}}) {
    const Facts more = facts_of(oracle(words));
    facts.insert(facts.end(), more.begin(), more.end());
  }
  return facts;
}

// A daemon with PROBES writes the rows that facts_for_every_probe() tells of, column by column, but for those
// of LEFT_OUT.
void check_probes(const std::string &probes, const std::set<std::string> &left_out) {
  Daemon daemon{{"probes: " + probes + "\n"}};
  CHECK_FALSE(said_of(daemon, "not ready"));
  const std::int64_t since = now_us();
  const Facts facts = facts_for_every_probe();
  CHECK(by_probe(facts).size() == 8);
  Facts expected;
  std::copy_if(facts.begin(), facts.end(), std::back_inserter(expected),
               [&](const Json &fact) { return !left_out.contains(probe_of(fact)); });
  REQUIRE(daemon.stop().status == 0);
  const auto found = daemon.rows().of_processes(processes_of(facts), since);
  for (const std::string &difference : differences(expected, found)) FAIL_CHECK(difference);
  CHECK(found.size() == expected.size());
  // A connection that nobody is to see accepted is none that was missed.
  for (const Json &loss : daemon.rows().losses(since)) CHECK(loss.at("cause") != "unseen");
}

void check_without(const std::string &probe) {
  check_probes("{" + probe + ": false}", {probe});
}

// The arguments of the one program that `oracle WORDS` is, as a daemon with DROP_IN keeps them.
struct Kept {
  Json args;
  bool truncated;
  bool redacted;
};
Kept kept_of(Rows &rows, const Words &words) {
  const std::int64_t since = now_us();
  const Facts facts = facts_of(oracle(words));
  wait_for_rows(rows);
  const auto found = rows.of_processes(processes_of(facts), since);
  REQUIRE(found.size() == 1);
  const auto marks = found[0].at("marks").get<Words>();
  return {found[0].at("args"), found[0].at("args_truncated"),
          std::count(marks.begin(), marks.end(), "redacted") == 1};
}

}  // namespace

TEST_CASE("configuration: without probes.exec") {
  check_without("exec");
}
TEST_CASE("configuration: without probes.tcp-connect") {
  check_without("tcp-connect");
}
TEST_CASE("configuration: without probes.tcp-accept") {
  check_without("tcp-accept");
}
TEST_CASE("configuration: without probes.tcp-bind") {
  check_without("tcp-bind");
}
TEST_CASE("configuration: without probes.tcp-close") {
  check_without("tcp-close");
}
TEST_CASE("configuration: without probes.udp-connect") {
  check_without("udp-connect");
}
TEST_CASE("configuration: without probes.udp-bind") {
  check_without("udp-bind");
}
TEST_CASE("configuration: without probes.udp-close") {
  check_without("udp-close");
}
TEST_CASE("configuration: a mask of closes alone") {
  check_probes("0x24", {"tcp-connect", "tcp-accept", "tcp-bind", "udp-connect", "udp-bind"});
}

TEST_CASE("configuration: probes.args-max-bytes cuts arguments") {
  constexpr std::size_t least = 100;
  const std::string argument(least, 'x');
  Daemon daemon{{"probes: {args-max-bytes: 100}\n"}};
  const Kept kept = kept_of(daemon.rows(), {"self", argument});
  CHECK(kept.truncated);
  std::size_t bytes = 0;
  for (const Json &part : kept.args) bytes += part.get<std::string>().size() + 1;
  CHECK(bytes - 1 == least);  // the last one is cut, and has no NUL
}

TEST_CASE("configuration: redact takes the place of the default rules") {
  const Words words{"self", "secret-of-ours", "--password=hunter2"};
  Daemon usual;
  const Kept by_default = kept_of(usual.rows(), words);
  CHECK(by_default.redacted);
  CHECK(by_default.args.at(2) == "secret-of-ours");
  CHECK(by_default.args.at(3) == "--password=***");
  CHECK(usual.stop().status == 0);
  Daemon daemon{{"redact: [{exe: [nobody, oracle], pattern: '^secret-(.+)$'}]\n"}};
  const Kept by_rule = kept_of(daemon.rows(), words);
  CHECK(by_rule.redacted);
  CHECK(by_rule.args.at(2) == "secret-***");
  CHECK(by_rule.args.at(3) == "--password=hunter2");
}

TEST_CASE("configuration: host-name is the name that rows carry") {
  Daemon daemon{{"host-name: a-name.of.ours\n"}};
  const std::int64_t since = now_us();
  const Facts facts = facts_of(oracle({"self"}));
  wait_for_rows(daemon.rows());
  const auto rows = daemon.rows().of_processes(processes_of(facts), since);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].at("host") == "a-name.of.ours");
  CHECK(daemon.status().at("host") == "a-name.of.ours");
}

TEST_CASE("configuration: files are where they are said to be and nowhere else") {
  const TemporaryDirectory place;
  const auto at = [&](const char *name) { return (place.path() / name).string(); };
  const std::string pins = "/sys/fs/bpf/" + place.path().filename().string();
  Daemon daemon{{"pam: {fifo-file: " + at("a-fifo") + "}\n" + "control: {socket: " + at("a-socket") + "}\n" +
                 "spool: {directory: " + at("a-spool") + "}\n" + "bpf: {pin-directory: " + pins + "}\n"}};
  const bool could_pin = !said_of(daemon, "nothing will be recorded while the daemon restarts");
  CHECK(std::filesystem::is_fifo(at("a-fifo")));
  CHECK(std::filesystem::is_socket(at("a-socket")));
  CHECK_FALSE(std::filesystem::is_empty(at("a-spool")));
  CHECK(std::filesystem::exists(pins) == could_pin);
  for (const char *name : {"pam.fifo", "control.sock", "spool"})
    CHECK_FALSE(std::filesystem::exists(daemon.directory() / name));
  CHECK_FALSE(has_pins(daemon.prepared()));
  // A verb that speaks to the daemon finds it by the same key.
  CHECK(daemon.status().at("sink").at("failing") == false);
}

TEST_CASE("configuration: log.level says how much is told and changes with a reload") {
  Daemon daemon{{"log: {level: info}\n"}};
  wait_for_rows(daemon.rows());
  CHECK_FALSE(said_of(daemon, "debug: stored"));
  daemon.reconfigure("log: {level: debug}\n");
  daemon.process().signal(SIGHUP);
  REQUIRE(eventually(seconds{10}, [&] { return said_of(daemon, "reloaded"); }));
  wait_for_rows(daemon.rows());
  CHECK(eventually(seconds{10}, [&] { return said_of(daemon, "debug: stored"); }));
  daemon.reconfigure("log: {level: error}\n");
  daemon.process().signal(SIGHUP);
  // Nothing tells that it is in force but the end, which says nothing.
  const Ended ended = daemon.stop();
  CHECK(ended.status == 0);
  CHECK((ended.out + ended.err).find("stopped:") == std::string::npos);
}

TEST_CASE("configuration: metrics.listen has no effect and the daemon says so") {
  Daemon daemon{{"metrics: {listen: \"127.0.0.1:9435\"}\n"}};
  CHECK(said_of(daemon, "metrics: this version has no metrics listener"));
}

}  // namespace iptrackd::scenario
