#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "daemon.h"
#include "load.h"
#include "shared_daemon.h"

namespace iptrackd::scenario {
namespace {

// How fast the events must come for the test to be one of load.
constexpr double within_seconds = 4;

// A ring that must overflow: the smallest, drained seldom.
const char *const small_ring = "ring-buffer: {size: 128KiB, drain-interval-ms: 1000}\n";
constexpr std::chrono::milliseconds drained_after{1500};

struct Books {
  std::int64_t generated = 0;
  std::int64_t arrived = 0;      // of those
  std::int64_t lost = 0;         // of anybody
  std::int64_t others_lost = 0;  // events of other processes that the witness has and this daemon has not
};

// A lost event does not say whose it was, and other processes go on living: how much of the loss is theirs is
// known from WITNESS, the rows of a daemon beside it that loses nothing.
Books books_of_overflow(Rows &witness) {
  Daemon daemon{{small_ring, std::nullopt}};
  const std::int64_t since = now_us();
  const Generated generated = generate({"events=100000"});
  std::this_thread::sleep_for(drained_after);
  const std::int64_t until = now_us();
  // Everything is written once the daemon has stopped, so that the books can be closed.
  REQUIRE(daemon.stop().status == 0);
  wait_for_rows(witness, std::chrono::seconds{60});
  REQUIRE(witness.of_session(generated.sid, since, until) == generated.events);
  const Lost lost = lost_since(daemon.rows(), since);
  CHECK(lost.unknown == 0);
  return {generated.total, sum(daemon.rows().of_session(generated.sid, since, until)), lost.count,
          sum(witness.of_others(generated.sid, since, until)) -
              sum(daemon.rows().of_others(generated.sid, since, until))};
}

}  // namespace

TEST_CASE("load: a hundred thousand events and none lost") {
  Rows &rows = shared_rows();
  // The rate is the machine's, and other work on it may slow a run down; that none is lost holds for each.
  double fastest = within_seconds;
  for (int attempt = 0; attempt < 3 && fastest >= within_seconds; ++attempt) {
    const std::int64_t since = now_us();
    const Generated generated = generate({"events=100000"});
    fastest = std::min(fastest, generated.seconds);
    MESSAGE("generated ", generated.total, " events in ", generated.seconds, " s");
    CHECK(generated.total >= 100'000);
    wait_for_rows(rows, std::chrono::seconds{60});
    CHECK(rows.of_session(generated.sid, since, now_us()) == generated.events);
    CHECK(lost_since(rows, since).count == 0);
    CHECK(lost_since(rows, since).unknown == 0);
    CHECK(rows.disorder(since) == 0);
  }
  CHECK(fastest < within_seconds);
}

TEST_CASE("load: as much as the machine makes, and the rings lose nothing") {
  const char *length = std::getenv("IPTRACKD_TEST_LOAD_SECONDS");
  const int seconds = length != nullptr ? std::atoi(length) : 3;
  Daemon daemon;
  const std::int64_t since = now_us();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{seconds};
  std::int64_t total = 0;
  while (std::chrono::steady_clock::now() < until) {
    const Generated generated = generate({"events=100000"});
    total += generated.total;
    wait_for_rows(daemon.rows(), std::chrono::seconds{60});
    CHECK(daemon.rows().of_session(generated.sid, since, now_us()) == generated.events);
  }
  MESSAGE(total, " events in ", seconds, " s");
  CHECK(lost_since(daemon.rows(), since).count == 0);
  CHECK(lost_since(daemon.rows(), since).unknown == 0);
}

TEST_CASE("load: the self-test passes meanwhile") {
  const TemporaryDirectory directory;
  const std::string rows = (directory.path() / "rows.jsonl").string();
  const auto prepared =
      prepare(directory.path(), {"database: {driver-name: jsonl, filename: " + rows + "}\n"});
  Process load{generator({"events=500000"})};
  const Ended ended = run(daemon_launch("check", prepared.configuration));
  CAPTURE(ended.out);
  CHECK(ended.status == 0);
  CHECK_FALSE(load.wait(Milliseconds{0}));  // else there was none
}

TEST_CASE("load: with a ring that overflows rows and losses are all events") {
  // Where others were busy, the two daemons may disagree about an event on the edge of the period: then it is
  // tried again.
  Books books;
  for (int attempt = 0; attempt < 3; ++attempt) {
    books = books_of_overflow(shared_rows());
    if (books.arrived + books.lost == books.generated + books.others_lost || books.others_lost == 0) break;
  }
  CAPTURE(books.arrived);
  CAPTURE(books.others_lost);
  CHECK(books.lost > 0);
  CHECK(books.arrived + books.lost == books.generated + books.others_lost);
}

}  // namespace iptrackd::scenario
