// One user's flood takes nothing from the others.
#include <doctest/doctest.h>

#include <thread>

#include "daemon.h"
#include "deed.h"
#include "load.h"
#include "shared_daemon.h"
#include "skip.h"
#include "sshd.h"

namespace iptrackd::scenario {
namespace {

constexpr uid_t flooder = 65534;
constexpr uid_t another = 1;
constexpr int programs = 100;

Launch flood(const std::string &events) {
  Launch launch = generator({"events=" + events});
  launch.user = flooder;
  return launch;
}

// What the books say of the flooder: events beyond its budget, by kind.
Counts over_budget(Rows &rows, std::int64_t since) {
  Counts counts;
  for (const Json &loss : rows.losses(since)) {
    // Root may be busy with other things on this host.
    if (loss.at("cause") != "over-budget" || loss.at("uid") != flooder) continue;
    CHECK(loss.at("stage") == "kernel");
    counts[loss.at("kind").get<std::string>()] += loss.at("count").get<std::int64_t>();
  }
  return counts;
}

// The programs that another user runs meanwhile, each in its own process; their pids.
std::set<int> run_programs() {
  std::set<int> pids;
  for (int number = 0; number < programs; ++number) {
    Launch launch;
    launch.arguments = {(settings().programs / "noop").string(), "fairness-" + std::to_string(number)};
    launch.user = another;
    Process program{launch};
    pids.insert(program.pid());
    CHECK(program.wait(std::chrono::seconds{10}) == 0);
  }
  return pids;
}

int execs_among(const std::vector<Json> &rows) {
  return static_cast<int>(std::count_if(rows.begin(), rows.end(), [](const Json &row) {
    return row.at("kind") == "exec" && row.at("exe").get<std::string>().ends_with("/noop");
  }));
}

}  // namespace

TEST_CASE("fairness: what is over a user's budget is counted by name and kind") {
  Daemon daemon{{"ring-buffer: {user-budget: 300}\n"}};
  const std::int64_t since = now_us();
  Process load{flood("5000")};
  const auto pids = run_programs();
  REQUIRE(load.wait(std::chrono::seconds{60}) == 0);
  const Generated generated = generated_by(load.out());
  wait_for_rows(daemon.rows());
  // What the kernel counted is booked once a second.
  std::this_thread::sleep_for(std::chrono::milliseconds{1500});
  wait_for_rows(daemon.rows());
  Counts found = daemon.rows().of_session(generated.sid, since, now_us());
  const Counts refused = over_budget(daemon.rows(), since);
  CHECK(sum(refused) > 0);
  for (const auto &[kind, count] : refused) found[kind] += count;
  // One exec more of his is the generator itself.
  CAPTURE(Json(refused).dump());
  for (const auto &[kind, count] : generated.events) {
    CAPTURE(kind);
    CHECK(found.at(kind) >= count);
    CHECK(found.at(kind) <= count + (kind == "exec" ? 1 : 0));
  }
  CHECK(execs_among(daemon.rows().of_processes(pids, since)) == programs);
  CHECK(daemon.stop().status == 0);
}

TEST_CASE("fairness: the budget can be switched off") {
  Daemon daemon{{"ring-buffer: {user-budget: 0}\n"}};
  const std::int64_t since = now_us();
  const Ended ended = run(flood("5000"));
  REQUIRE(ended.status == 0);
  wait_for_rows(daemon.rows());
  check_stored_once(daemon.rows(), generated_by(ended.out), since);
}

TEST_CASE("fairness: a hundred programs and a login beside a flood from two processes") {
  if (!settings().connection) return skip("rows are read from a file here; the login is looked for in SQL");
  Daemon daemon;
  const Sshd sshd{daemon.directory() / "pam.fifo"};
  const std::int64_t since = now_us();
  const std::string endless = "1000000000";
  Process first{flood(endless)};
  Process second{flood(endless)};
  const auto logins = sshd.log_in("login", 1);
  const auto pids = run_programs();
  for (Process *each : {&first, &second}) {
    REQUIRE(!each->wait(Milliseconds{0}));  // else there was no flood
    each->signal(SIGKILL);
    CHECK(each->wait(std::chrono::seconds{10}) == -SIGKILL);
  }
  wait_for_rows(daemon.rows(), std::chrono::seconds{60});
  CHECK(execs_among(daemon.rows().of_processes(pids, since)) == programs);
  CHECK(logins.size() == 1);
  CHECK(execute(*daemon.prepared().connection,
                "SELECT count(*) FROM iptrackd.activity WHERE kind = 'open_session'") == "1");
}

}  // namespace iptrackd::scenario
