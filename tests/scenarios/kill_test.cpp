// The daemon is killed, again and again, while things happen: the kernel side goes on without it, and the
// next daemon takes over. IPTRACKD_TEST_KILLS says how often; the short form is for every run of the tests.
#include <doctest/doctest.h>

#include <cstdlib>
#include <future>
#include <random>
#include <thread>

#include "daemon.h"
#include "load.h"
#include "shared_daemon.h"
#include "skip.h"
#include "sshd.h"

namespace iptrackd::scenario {
namespace {

using std::chrono::seconds;

constexpr Milliseconds longest_life{2500};
constexpr Milliseconds longest_death{1500};

int kill_count() {
  const char *count = std::getenv("IPTRACKD_TEST_KILLS");
  return count != nullptr ? std::atoi(count) : 6;
}

// Kills DAEMON at random moments until the load has ended, but COUNT times at most, and starts it again each
// time. The lives are as short as they come: one may be killed before it has attached anything.
int kill_again_and_again(Daemon &daemon, int count) {
  std::minstd_rand random{std::random_device{}()};
  const auto up_to = [&random](Milliseconds most) {
    return Milliseconds{std::uniform_int_distribution<Milliseconds::rep>{0, most.count()}(random)};
  };
  int kills = 0;
  for (; kills < count; ++kills) {
    std::this_thread::sleep_for(up_to(longest_life));
    daemon.kill();
    std::this_thread::sleep_for(up_to(longest_death));
    daemon.start_again();
  }
  return kills;
}

std::string load_for(int kills) {
  const auto cycle = (longest_life + longest_death) / 2;
  return "events=" + std::to_string(lasting_rate * (kills + 1) * cycle.count() / 1000);
}

}  // namespace

TEST_CASE("kill: what happens around a daemon that is killed is stored once") {
  Daemon daemon;
  if (!has_pins(daemon.prepared())) return skip("there is no bpf file system to keep the programs in");
  const std::int64_t since = now_us();
  const int kills = kill_count();
  Process load{generator({load_for(kills), "per-second=" + std::to_string(lasting_rate)})};
  kill_again_and_again(daemon, kills);
  REQUIRE(load.wait(std::chrono::minutes{20}) == 0);
  wait_for_rows(daemon.rows(), seconds{60});
  check_stored_once(daemon.rows(), generated_by(load.out()), since);
  CHECK(daemon.rows().disorder(since) == 0);
  if (daemon.prepared().connection) {
    const auto ask = [&](const std::string &what) {
      return execute(*daemon.prepared().connection, "SELECT " + what);
    };
    CHECK(ask("count(*) - count(DISTINCT (boot_id, seq)) FROM iptrackd.activity") == "0");
    // A daemon that is killed early enough has said nothing.
    const int takeovers = std::stoi(ask("count(*) FROM iptrackd.host_event WHERE kind = 'takeover'"));
    CHECK(takeovers > 0);
    CHECK(takeovers <= kills);
  }
  const Ended ended = daemon.stop();
  CHECK(ended.status == 0);
  CHECK_FALSE(has_pins(daemon.prepared()));
}

TEST_CASE("kill: a daemon that is stopped for a while and goes on has missed nothing") {
  Daemon daemon;
  const std::int64_t since = now_us();
  daemon.process().signal(SIGSTOP);
  const Generated generated = generate({"events=4000", "per-second=" + std::to_string(lasting_rate)});
  daemon.process().signal(SIGCONT);
  wait_for_rows(daemon.rows(), seconds{20});
  check_stored_once(daemon.rows(), generated, since);
  CHECK(daemon.rows().disorder(since) == 0);
  CHECK(daemon.stop().status == 0);
}

TEST_CASE("kill: logins meanwhile are stored once each") {
  if (!settings().connection) return skip("rows are read from a file here; the comparison is made in SQL");
  Daemon daemon;
  if (!has_pins(daemon.prepared())) return skip("there is no bpf file system to keep the programs in");
  const Sshd sshd{daemon.directory() / "pam.fifo"};
  const int kills = kill_count();
  const int logins = std::max(20, kills / 2);
  auto logged_in = std::async(std::launch::async, [&] { return sshd.log_in("login", logins); });
  kill_again_and_again(daemon, kills);
  REQUIRE(logged_in.get().size() == static_cast<std::size_t>(logins));
  const auto ask = [&](const std::string &what) {
    return execute(*daemon.prepared().connection, "SELECT " + what + " FROM iptrackd.activity");
  };
  // A record whose daemon died with it is rebuilt when it has not come for some seconds.
  const std::string expected = std::to_string(logins) + "," + std::to_string(logins);
  const std::string counts =
      "concat(count(*) FILTER (WHERE kind = 'open_session'), ',', "
      "count(*) FILTER (WHERE kind = 'close_session'))";
  (void)eventually(seconds{20}, [&] { return ask(counts) == expected; });
  CHECK(ask(counts) == expected);
  // Each login has an sshd of its own.
  CHECK(ask("count(DISTINCT (ppid, remote_port)) FILTER (WHERE kind = 'open_session')") ==
        std::to_string(logins));
  CHECK(ask("count(*) FILTER (WHERE 'unvouched' = ANY (marks))") == "0");
  MESSAGE(ask("count(*) FILTER (WHERE 'rebuilt' = ANY (marks))"), " of ", 2 * logins,
          " records were rebuilt");
  CHECK(daemon.stop().status == 0);
}

}  // namespace iptrackd::scenario
