// Real deeds before rules: what is stored and what is not equals the reference's verdict on each of the rows
// that the oracle must have left.
#include <doctest/doctest.h>

#include <algorithm>

#include "compare.h"
#include "whitelist.h"
#include "whitelist_network.h"
#include "whitelist_reference.h"

namespace iptrackd::scenario {
namespace {

unsigned number_in(const Json &fact, const char *column) {
  const Json value = fact.value(column, Json{});
  return value.is_number() ? value.get<unsigned>() : 0;
}

// Did the socket of this close connect, and not accept?
bool has_connected(const Json &close, const Facts &facts) {
  return std::any_of(facts.begin(), facts.end(), [&](const Json &fact) {
    return fact.at("kind") == "connect" && fact.at("result") == 0 && fact.at("proto") == close.at("proto") &&
           fact.at("local_port") == close.at("local_port") &&
           fact.at("remote_port") == close.at("remote_port");
  });
}

WhitelistedDeed deed_in(const Json &fact, const Facts &facts) {
  WhitelistedDeed deed;
  deed.program = fact.at("exe");
  deed.kind = fact.at("kind");
  deed.uid = fact.at("uid");
  deed.euid = fact.at("euid");
  if (deed.kind == "exec") {
    if (fact.at("result") != 0) deed.program.clear();
    for (const Json &argument : fact.value("args", Json::array())) deed.arguments.push_back(argument);
    if (!deed.arguments.empty()) deed.arguments.erase(deed.arguments.begin());
    return deed;
  }
  const Json remote = fact.value("remote_addr", Json{});
  if (remote.is_string()) deed.remote = remote;
  deed.remote_port = number_in(fact, "remote_port");
  deed.local_port = number_in(fact, "local_port");
  const bool is_outward =
      deed.kind == "connect" || (deed.kind == "close" && !deed.remote.empty() && has_connected(fact, facts));
  deed.service_port = is_outward ? deed.remote_port : deed.local_port;
  return deed;
}

// What only the daemon's mechanism decides, or the oracle cannot know: as in exec_test.cpp.
Json as_stored(Json fact) {
  if (fact.at("kind") != "exec") return fact;
  if (fact.at("exe") == "/memfd:nowhere (deleted)") {
    fact["exe"] = "/memfd:nowhere";
    fact["marks"] = {"deleted", "memfd"};
  }
  if (fact.at("result") != 0 && settings().mechanism == "tracepoint") fact["marks"] = {"untrusted"};
  return fact;
}

// In rules and words, @ stands for the program that is ruled and + for another.
struct Sample {
  Words network;
  Words exec;
  Words words;
  std::optional<uid_t> user = {};
};

class Samples {
 public:
  explicit Samples(Daemon &daemon, bool include_root)
      : daemon_{daemon}, whitelist_{daemon}, include_root_{include_root} {
    ruled_ = copy_of_oracle(directory_.path(), "sshd");
    other_ = copy_of_oracle(directory_.path(), "client");
  }

  void check(Sample sample) {
    fill(sample.network);
    fill(sample.exec);
    fill(sample.words);
    const std::string rules = Json{sample.network, sample.exec, sample.words}.dump();
    CAPTURE(rules);
    whitelist_.ask({{"verb", "replace"}, {"network", sample.network}, {"exec", sample.exec}});
    const std::int64_t since = now_us();
    const Facts facts = facts_of(launch(sample));
    Facts expected;
    for (const Json &fact : facts)
      if (!drops(sample, deed_in(fact, facts))) expected.push_back(as_stored(fact));
    compare(facts, expected, since);
  }
  // Of all samples.
  [[nodiscard]] std::size_t stored() const { return stored_; }
  [[nodiscard]] std::size_t dropped() const { return dropped_; }

 private:
  void fill(Words &texts) const {
    for (std::string &text : texts) {
      if (const auto at = text.find('@'); at != std::string::npos) text.replace(at, 1, ruled_.string());
      if (const auto at = text.find('+'); at != std::string::npos) text.replace(at, 1, other_.string());
    }
  }
  [[nodiscard]] Launch launch(const Sample &sample) const {
    Launch launch;
    launch.arguments = sample.words;
    launch.arguments.insert(launch.arguments.begin(), ruled_.string());
    launch.program = ruled_;
    launch.prepare = enter_own_network;
    launch.user = sample.user;
    return launch;
  }
  [[nodiscard]] bool drops(const Sample &sample, const WhitelistedDeed &deed) const {
    return std::any_of(sample.network.begin(), sample.network.end(),
                       [&](const std::string &rule) { return reference_drops_network(rule, deed); }) ||
           std::any_of(sample.exec.begin(), sample.exec.end(), [&](const std::string &rule) {
             return reference_drops_exec(rule, deed, include_root_);
           });
  }
  void compare(const Facts &facts, const Facts &expected, std::int64_t since) {
    std::set<int> pids;
    for (const Json &fact : facts) pids.insert(fact.at("pid").get<int>());
    wait_for_rows(daemon_.rows());
    const auto rows = daemon_.rows().of_processes(pids, since);
    for (const std::string &difference : differences(expected, rows)) FAIL_CHECK(difference);
    CHECK(rows.size() == expected.size());
    stored_ += expected.size();
    dropped_ += facts.size() - expected.size();
  }

  Daemon &daemon_;
  Whitelist whitelist_;
  bool include_root_;
  TemporaryDirectory directory_;
  Path ruled_, other_;
  std::size_t stored_ = 0, dropped_ = 0;
};

}  // namespace

TEST_CASE("whitelist: the documented examples") {
  Samples samples{whitelist_daemon(), true};
  // Inbound: the service's own port, which the seed's code never compared.
  samples.check({{"@|p<22>"}, {}, {"service", "port=22", "client=+"}});
  samples.check({{"@|p<22>"}, {}, {"service", "port=443", "client=+"}});
  samples.check({{"+|p<22>"}, {}, {"service", "port=22", "client=+"}});
  samples.check({{"@|i<127.0.0.1>|p<22>"}, {}, {"service", "port=22"}});
  samples.check({{"@|i127.0.0.1|p22"}, {}, {"service", "port=22", "family=mapped"}});
  // A narrower rule beside a wider one hides nothing of it.
  const Words nets{"@|i<10.1.0.0/16>|p<443>", "@|i<10.0.0.0/8>|p<22>"};
  samples.check({nets, {}, {"service", "address=10.1.2.3", "port=22"}});
  samples.check({nets, {}, {"service", "address=10.1.2.3", "port=443"}});
  samples.check({nets, {}, {"service", "address=10.9.9.9", "port=443"}});
  samples.check({nets, {}, {"service", "address=10.9.9.9", "port=22", "proto=udp"}});
  // The first arguments, and nothing that only begins like them.
  samples.check({{}, {"@|-l /tmp"}, {"-l", "/tmp"}});
  samples.check({{}, {"@|-l /tmp"}, {"-l", "/tmp", "/var"}});
  samples.check({{}, {"@|-l /tmp"}, {"-l", "/tmpfs"}});
  samples.check({{}, {"@|-l /tmp"}, {"-l /tmp"}});
  samples.check({{}, {"@|-l /tmp"}, {"-l"}});
  CHECK(samples.stored() > 20);
  CHECK(samples.dropped() > 15);
}

TEST_CASE("whitelist: a sample of real deeds") {
  Samples samples{whitelist_daemon(), true};
  for (const char *kind : {"connect", "accept", "bind", "close", "close,bind"})
    samples.check({{std::string{"@|k<"} + kind + ">"}, {}, {"service"}});
  samples.check({{"@|k<connect>"}, {}, {"connect", "outcome=refused"}});
  samples.check({{"@|p<53>|k<connect,close>"}, {}, {"service", "proto=udp", "port=53"}});
  samples.check({{"@|p<54>"}, {}, {"service", "proto=udp", "port=53", "family=6"}});
  samples.check({{"@|i<2001:db8::/32>"}, {}, {"service", "family=6", "address=2001:db8::1"}});
  samples.check({{"@|i<::/0>"}, {}, {"service", "family=mapped"}});
  samples.check({{"@|i<0.0.0.0/0>"}, {}, {"service", "family=6"}});
  samples.check({{"@|i<::ffff:127.0.0.0/104>"}, {}, {"service"}});
  // A socket that is bound and then connected has the port of its peer for its service's.
  for (const char *rule : {"@|lp<4000-4010>", "@|rp<4005>", "@|p<22>|k<close>", "@|p<4005>", "@|p<22>"})
    for (const char *proto : {"proto=tcp", "proto=udp"})
      samples.check({{rule}, {}, {"service", "port=22", "from=4005", proto}});
  // Which is not known before the kernel has chosen it.
  samples.check({{"@|lp<1024-65535>|k<connect>"}, {}, {"service", "port=22"}});
  samples.check({{"@|lp<1-1023>|k<connect>"}, {}, {"service", "port=22"}});
  samples.check({{"*|p<7777>"}, {}, {"service", "port=7777", "client=+"}});
  samples.check({{"@|u<65534>"}, {"@|u<65534>"}, {"service"}, uid_of_nobody});
  samples.check({{"@|u<65534>"}, {"@|u<65534>"}, {"service"}});
  samples.check({{"@"}, {"@"}, {"all"}});
  CHECK(samples.stored() > 40);
  CHECK(samples.dropped() > 40);
}

TEST_CASE("whitelist: rules of exec and what they cannot mean") {
  Samples samples{whitelist_daemon(), true};
  samples.check({{}, {"@"}, {"self"}});
  samples.check({{}, {"@"}, {"exec"}});
  // Another file, though it has the same content and was begun by the same program.
  samples.check({{}, {"@"}, {"exec", "how=memfd"}});
  samples.check({{}, {"@"}, {"exec", "how=spawn"}});
  // A failed exec has no file, so that only rules for any program hold.
  samples.check({{}, {"@"}, {"exec", "how=fail"}});
  samples.check({{}, {"*|u<65534>"}, {"exec", "how=fail"}, uid_of_nobody});
  samples.check({{}, {"*|u<65533>"}, {"exec", "how=fail"}, uid_of_nobody});
  samples.check({{}, {"@|self"}, {"self", std::string(100'000, 'x')}});
  samples.check({{}, {"@|self " + std::string(234, 'x')}, {"self", std::string(234, 'x')}});
  samples.check({{}, {"@|self " + std::string(234, 'x')}, {"self", std::string(235, 'x')}});
  CHECK(samples.stored() >= 4);
  CHECK(samples.dropped() >= 6);
}

TEST_CASE("whitelist: rules of exec leave root alone unless they are told to") {
  Daemon daemon{whitelist_options("")};
  Samples samples{daemon, false};
  samples.check({{}, {"@"}, {"self"}});
  samples.check({{}, {"@|u<0>"}, {"self"}});
  samples.check({{}, {"@"}, {"self"}, uid_of_nobody});
  samples.check({{"@"}, {"@"}, {"service"}});
  CHECK(samples.stored() == 3);
  CHECK(samples.dropped() == 1 + 6);
}

}  // namespace iptrackd::scenario
