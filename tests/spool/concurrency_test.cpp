#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>

#include "spool/support.h"

using namespace iptrackd;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using test::append;
using test::make_events;
using test::open_spool;
using test::options_for;

namespace {

// Appends for ever; says after each append() how far it came.
[[noreturn]] void append_until_killed(const spool::Options &options, std::atomic<std::uint64_t> &appended) {
  auto opened = spool::Spool::open(options);
  if (!opened) _exit(1);
  for (std::uint64_t seq = appended + 1;; seq += 5) {
    append(**opened, make_events(seq, 5, Kind::exec, 300));
    appended = seq + 4;
  }
}

}  // namespace

TEST_CASE("concurrency: a writer that is killed loses nothing that append() returned for") {
  const test::TemporaryDirectory directory;
  auto options = options_for(directory);
  options.max_size = 64U << 20;
  void *shared = mmap(nullptr, sizeof(std::atomic<std::uint64_t>), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shared != MAP_FAILED);
  auto &appended = *new (shared) std::atomic<std::uint64_t>{0};
  std::mt19937 random{4711};
  for (int turn = 0; turn < 40; ++turn) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) append_until_killed(options, appended);
    // Every other writer dies early, perhaps while it opens; the rest after some batches, however slow this
    // machine is.
    const std::uint64_t enough = appended + (turn % 2 == 0 ? 0 : 100);
    for (const auto begun = Clock::now(); appended < enough && Clock::now() - begun < 60s;)
      std::this_thread::sleep_for(100us);
    std::this_thread::sleep_for(std::chrono::microseconds{500 + random() % 10'000});
    REQUIRE(kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    auto spool = open_spool(options);
    CHECK_FALSE(spool->recovery().clean_end);
    const auto contents = test::read_from_first(*spool);
    CHECK(contents.intact);
    REQUIRE(contents.seqs.size() >= appended);
    for (std::size_t at = 0; at < contents.seqs.size(); ++at) REQUIRE(contents.seqs[at] == at + 1);
    // An append() that had not returned may be there, whole or in part.
    CHECK(contents.seqs.size() <= appended + 5);
    appended = contents.seqs.size();
  }
  CHECK(appended >= 2000);
  munmap(shared, sizeof(appended));
}

TEST_CASE("concurrency: writer and reader at full speed, with others that book") {
  const test::TemporaryDirectory directory;
  auto options = options_for(directory);
  options.max_size = 8U << 20;
  options.sync_interval = 5ms;
  options.retain = 0ms;
  auto spool = open_spool(options);
  std::atomic<bool> running{true};
  std::uint64_t sent = 0;
  std::uint64_t booked = 0;
  std::jthread writer{[&] {
    while (running) {
      append(*spool, make_events(sent + 1, 50, Kind::exec, 300));
      sent += 50;
      spool->sync_if_due();
    }
    spool->close();
  }};
  std::jthread other{[&] {
    while (running) {
      spool->book({1, 2, "kernel", "ring-full", Kind::exec, {}, 1U});
      ++booked;
      static_cast<void>(spool->usage());
      std::this_thread::sleep_for(1ms);
    }
  }};
  std::atomic<std::uint64_t> events{0};
  std::uint64_t lost = 0, losses = 0;
  std::uint64_t last_seq = 0;
  bool ordered = true;
  std::jthread reader{[&] {
    Batch batch;
    for (Position at = spool->acknowledged();;) {
      const auto read = spool->read(at, {500, 1U << 20, 5ms}, batch, {});
      if (!read || *read == BatchSource::Read::ended) return;
      if (*read == BatchSource::Read::nothing) continue;
      const BatchView view = batch.view();
      for (const Event &event : view.events) {
        ordered = ordered && event.seq > last_seq;
        last_seq = event.seq;
      }
      events += view.events.size();
      for (const Loss &loss : view.losses) (loss.stage == "spool" ? lost : losses) += *loss.count;
      at = batch.to();
      spool->acknowledge(at);
    }
  }};
  std::this_thread::sleep_for(1s);
  for (const auto begun = Clock::now(); events <= 1000 && Clock::now() - begun < 60s;)
    std::this_thread::sleep_for(1ms);
  running = false;
  other.join();
  writer.join();
  reader.join();
  CHECK(ordered);
  CHECK(events > 1000);
  CHECK(events + lost == sent);
  CHECK(losses + 50 >= booked);
  CHECK(losses <= booked);
}
