// Ways to hide a deed by what is done to the daemon or its rings, each with a control. Each case has daemons
// of its own.
#include <doctest/doctest.h>

#include <thread>

#include "daemon.h"
#include "evasion.h"
#include "load.h"
#include "shared_daemon.h"

namespace iptrackd::scenario {
namespace {

// Kernels before 5.15 cannot keep the hooks of system calls without a daemon: what those would have seen is a
// loss of unknown count then.
bool is_blind_without_daemon(const Daemon &daemon) {
  return daemon.process().err().find("while the daemon restarts") != std::string::npos;
}

Facts perform_deed() {
  Facts facts = facts_of(oracle({"close", "how=exit", "sent=7"}));
  return facts;
}

std::size_t rows_of(Rows &rows, const Facts &facts, std::int64_t since) {
  std::set<int> pids;
  for (const Json &fact : facts) pids.insert(fact.at("pid").get<int>());
  return rows.of_processes(pids, since).size();
}

constexpr uid_t flooder = 65534;
constexpr int programs = 100;

// Users run programs while one of them starts programs as fast as he can, in a ring that is small and read
// seldom. How many of theirs became rows. They run some thirty a second, less than any budget here.
int recorded_beside_flood(int budget) {
  Daemon daemon{
      {"ring-buffer: {size: 256KiB, drain-interval-ms: 500, user-budget: " + std::to_string(budget) + "}\n"}};
  const std::int64_t since = now_us();
  Launch flooding;
  flooding.arguments = {"/bin/sh", "-c",
                        "while :; do " + (settings().programs / "noop").string() + " flood; done"};
  flooding.user = flooder;
  Process first{flooding};
  Process second{flooding};
  std::set<int> pids;
  for (int number = 0; number < programs; ++number) {
    Launch launch;
    launch.arguments = {(settings().programs / "noop").string(), std::to_string(number)};
    launch.user = 1;
    Process program{launch};
    pids.insert(program.pid());
    REQUIRE(program.wait(std::chrono::seconds{20}) == 0);
    std::this_thread::sleep_for(Milliseconds{30});
  }
  first.signal(SIGKILL);
  second.signal(SIGKILL);
  REQUIRE(daemon.stop().status == 0);
  const auto rows = daemon.rows().of_processes(pids, since);
  return static_cast<int>(std::count_if(rows.begin(), rows.end(), [](const Json &row) {
    return row.at("kind") == "exec" && row.at("exe").get<std::string>().ends_with("/noop");
  }));
}

}  // namespace

TEST_CASE("evasion: kill -9 of the tracer before the deed") {
  Daemon daemon;
  Naive naive;
  const std::int64_t since = now_us();
  daemon.kill();
  naive.kill();
  const Facts facts = perform_deed();
  const bool is_blind = is_blind_without_daemon(daemon);
  daemon.start_again_and_wait();
  Naive next;
  wait_for_rows(daemon.rows(), std::chrono::seconds{20});
  CHECK(next.stop().names(facts.front().at("pid")).empty());
  if (is_blind) {
    CHECK(lost_since(daemon.rows(), since).unknown > 0);
  } else {
    CHECK(rows_of(daemon.rows(), facts, since) == facts.size());
    CHECK(lost_since(daemon.rows(), since).unknown == 0);
  }
  CHECK(daemon.stop().status == 0);
}

TEST_CASE("evasion: a flood of programs by one user hides no program of another") {
  // The control is the same daemon without budgets.
  const int without = recorded_beside_flood(0);
  MESSAGE("without a budget ", without, " of ", programs, " programs are recorded");
  CHECK(without < programs);
  CHECK(recorded_beside_flood(100) == programs);
}

}  // namespace iptrackd::scenario
