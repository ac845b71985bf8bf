// A hook that is refused, and one that is attached and never called, are found out by name; what the others
// see goes on.
#include <doctest/doctest.h>

#include <cstdlib>

#include "daemon.h"
#include "deed.h"

namespace iptrackd::scenario {
namespace {

struct Faults {
  std::string planted;  // as src/loader/planted_fault.h has them
  std::string refused;  // how the daemon names the two
  std::string silent;
};

Faults faults() {
  if (settings().mechanism == "fentry") {
    return {"misnamed:bound_v4,silent:accepted,silent:accepted_4",
            "inet_bind_with_a_planted_fault is refused", "inet_accept is attached and stays silent"};
  }
  return {"misnamed:bind_exit,silent:accept4_exit", "sys_exit_bind_with_a_planted_fault is refused",
          "sys_exit_accept4 is attached and stays silent"};
}

void plant(Launch &launch, const std::string &fault) {
  launch.program = settings().programs / "iptrackd-with-faults";
  launch.prepare = [fault] { setenv("IPTRACKD_FAULT", fault.c_str(), 1); };
}

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("self-test: broken hooks fail readiness by name and the others go on") {
  const Faults broken = faults();
  DaemonOptions options;
  options.adjust = [&](Launch &launch) { plant(launch, broken.planted); };
  Daemon daemon{options};
  const std::string said = daemon.process().out() + daemon.process().err();
  CAPTURE(said);
  CHECK(contains(said, broken.refused));
  CHECK(contains(said, broken.silent));
  CHECK(contains(said, "not ready"));
  CHECK_FALSE(contains(said, "ready: iptrackd"));
  const std::int64_t since = now_us();
  check_facts(daemon.rows(), facts_of(oracle({"exec"})), since);
  if (daemon.prepared().connection) {
    CHECK(execute(*daemon.prepared().connection,
                  "SELECT count(*) FROM iptrackd.host_event WHERE kind = 'hook-lost'") == "1");
  }
}

TEST_CASE("self-test: check names broken hooks") {
  const Faults broken = faults();
  const TemporaryDirectory directory;
  Launch launch = daemon_launch("check", prepare(directory.path(), {}).configuration);
  plant(launch, broken.planted);
  const Ended ended = run(launch);
  CAPTURE(ended.out);
  CHECK(ended.status == 1);
  CHECK(contains(ended.out, broken.refused));
  CHECK(contains(ended.out, broken.silent));
}

TEST_CASE("self-test: probes tells what is attached and that it works") {
  const TemporaryDirectory directory;
  Launch launch = daemon_launch("probes", prepare(directory.path(), {}).configuration);
  launch.arguments.emplace_back("--json");
  const Ended ended = run(launch);
  CAPTURE(ended.out);
  REQUIRE(ended.status == 0);
  int attached = 0;
  for (const Json &hook : Json::parse(ended.out)) {
    CAPTURE(hook.dump());
    CHECK(hook.at("state") != "silent");
    if (!hook.at("attached")) continue;
    ++attached;
    const auto mechanism = hook.at("mechanism").get<std::string>();
    const bool is_trampoline = mechanism == "fentry" || mechanism == "fexit";
    CHECK((mechanism == "tp_btf" || is_trampoline == (settings().mechanism == "fentry")));
    if (hook.at("tested")) CHECK(hook.at("hits") > 0);
    if (hook.at("misses").is_number()) CHECK(hook.at("misses") == 0);
  }
  CHECK(attached >= 15);
}

}  // namespace iptrackd::scenario
