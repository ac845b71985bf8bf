#include "sink/writer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "sink/samples.h"

using namespace iptrackd;
using namespace std::chrono_literals;
using sink::Batch;
using sink::Writer;

namespace {

// A sink of the test's making: keeps what it is given, fails as it is told, refuses poison.
class FakeSink final : public sink::Sink {
 public:
  std::deque<Fault> failures;     // of the next writes
  bool away = false;              // every open fails
  std::string poison = "poison";  // comm of the events that it rejects
  std::vector<std::uint64_t> seqs;
  std::vector<Loss> losses;
  std::size_t opens = 0;
  std::size_t batches = 0;
  std::size_t empty_batches = 0;
  std::size_t largest = 0;

  std::string_view driver() const noexcept override { return "fake"; }

  Result<void> open(std::stop_token stop) override {
    if (stop.stop_requested()) return fail(Fault::cancelled, "stop");
    if (away) return fail(Fault::connection, "away");
    ++opens;
    return {};
  }

  Result<void> write(const Batch &batch, std::stop_token stop) override {
    if (stop.stop_requested()) return fail(Fault::cancelled, "stop");
    if (!failures.empty()) {
      const Fault fault = failures.front();
      failures.pop_front();
      return fail(fault, "as told");
    }
    for (const Event *event : batch.events) {
      if (event->comm.view() == poison) return fail(Fault::rejected, "poison");
    }
    for (const Event *event : batch.events) seqs.push_back(event->unix_us);
    losses.insert(losses.end(), batch.losses.begin(), batch.losses.end());
    ++batches;
    empty_batches += batch.empty() ? 1 : 0;
    largest = std::max(largest, batch.events.size());
    return {};
  }
};

struct Fixture {
  Pool pool{[] {
    Pool::Options large;
    large.max = 10'000;
    large.delta = 1000;
    return large;
  }()};
  FakeSink sink;
  Writer::Options options = [] {
    Writer::Options quick;
    quick.linger = 5ms;
    quick.backoff = {5ms, 20ms};
    return quick;
  }();
  Writer::Observer observer;

  void submit(std::uint64_t time, std::string_view comm = "ls") {
    EventPtr event = pool.acquire({});
    event->boot_ns = time;
    event->unix_us = static_cast<std::int64_t>(time);
    event->uid = 1000;
    event->comm.assign(comm);
    pool.submit(Pool::Source::kernel, std::move(event));
  }
  void finish() {
    pool.finish(Pool::Source::kernel);
    pool.finish(Pool::Source::pam);
  }
  Writer::Summary run(std::stop_token deadline = {}) {
    writer = std::make_unique<Writer>(pool, sink, options, observer);
    return writer->run(std::move(deadline));
  }
  std::unique_ptr<Writer> writer;
};

std::uint64_t total(const std::vector<Loss> &losses) {
  std::uint64_t sum = 0;
  for (const Loss &loss : losses) sum += loss.count.value_or(0);
  return sum;
}

}  // namespace

TEST_CASE("everything is stored once, in order, in batches of at most `rows`") {
  Fixture f;
  f.options.rows = 64;
  for (std::uint64_t i = 1; i <= 1000; ++i) f.submit(i);
  f.finish();
  const auto summary = f.run();
  CHECK(summary.written == 1000);
  CHECK(summary.unwritten == 0);
  CHECK(f.sink.seqs.size() == 1000);
  CHECK(std::is_sorted(f.sink.seqs.begin(), f.sink.seqs.end()));
  CHECK(f.sink.largest == 64);
  CHECK(f.writer->counters().rows == 1000);
  CHECK(f.writer->counters().batches == f.sink.batches);
  CHECK(f.writer->counters().last_unix_us == 1000);
  CHECK(f.pool.usage().in_use == 0);
}

TEST_CASE("a batch ends when its bytes are reached, and when its first event has waited long enough") {
  Fixture f;
  f.options.bytes = 1;
  f.options.linger = 10s;
  f.submit(1);
  f.pool.advance(Pool::Source::pam, 100);
  f.pool.advance(Pool::Source::kernel, 2);
  std::jthread source{[&f] {
    std::this_thread::sleep_for(50ms);
    f.submit(2);
    f.finish();
  }};
  CHECK(f.run().written == 2);
  CHECK(f.sink.batches == 2);

  Fixture g;
  g.options.linger = 20ms;
  g.submit(1);
  g.pool.advance(Pool::Source::pam, 100);
  g.pool.advance(Pool::Source::kernel, 2);
  std::jthread late{[&g] {
    std::this_thread::sleep_for(200ms);
    g.submit(2);
    g.finish();
  }};
  CHECK(g.run().written == 2);
  CHECK(g.sink.batches == 2);
}

TEST_CASE("a lost connection costs nothing: the same batch is written again") {
  Fixture f;
  f.sink.failures = {Fault::connection, Fault::environment, Fault::connection};
  int failed = 0;
  int recovered = 0;
  f.observer.failed = [&](const Error &error) {
    ++failed;
    CHECK(error.message() == "as told");
  };
  f.observer.recovered = [&] { ++recovered; };
  for (std::uint64_t i = 1; i <= 100; ++i) f.submit(i);
  f.finish();
  CHECK(f.run().written == 100);
  CHECK(f.sink.seqs.size() == 100);
  CHECK(f.writer->counters().errors == 3);
  CHECK(failed == 1);  // reported once, not at every attempt
  CHECK(recovered == 1);
}

TEST_CASE("poison rows are set aside one by one and booked, all others are stored in order") {
  Fixture f;
  std::vector<std::int64_t> rejected;
  f.observer.rejected = [&](const Event &event, const Error &error) {
    rejected.push_back(event.unix_us);
    CHECK(error.fault() == Fault::rejected);
  };
  for (std::uint64_t i = 1; i <= 333; ++i)
    f.submit(i, i == 1 || i == 100 || i == 101 || i == 333 ? "poison" : "ls");
  f.finish();
  const auto summary = f.run();
  CHECK(summary.written == 329);
  CHECK(summary.rejected == 4);
  CHECK(summary.losses.empty());
  CHECK(rejected == std::vector<std::int64_t>{1, 100, 101, 333});
  CHECK(std::is_sorted(f.sink.seqs.begin(), f.sink.seqs.end()));
  CHECK(f.sink.seqs.size() == 329);
  REQUIRE(f.sink.losses.size() == 1);
  CHECK(f.sink.losses[0].stage == "sink");
  CHECK(f.sink.losses[0].cause == "rejected");
  CHECK(f.sink.losses[0].uid == 1000U);
  CHECK(f.sink.losses[0].count == 4U);
  CHECK(f.sink.losses[0].from_unix_us == 1);
  CHECK(f.sink.losses[0].to_unix_us == 333);
}

TEST_CASE("a lost connection while poison is being looked for costs nothing either") {
  Fixture f;
  for (std::uint64_t i = 1; i <= 8; ++i) f.submit(i, i == 5 ? "poison" : "ls");
  f.finish();
  f.sink.failures = {Fault::rejected, Fault::connection, Fault::connection};
  const auto summary = f.run();
  CHECK(summary.written == 7);
  CHECK(summary.rejected == 1);
  CHECK(f.sink.seqs == std::vector<std::uint64_t>{1, 2, 3, 4, 6, 7, 8});
}

TEST_CASE("losses that other stages book are stored, without events too") {
  Fixture f;
  f.options.heartbeat = 1h;
  f.writer = std::make_unique<Writer>(f.pool, f.sink, f.options, f.observer);
  f.writer->book({1, 2, "kernel", "ring-full", Kind::exec, {}, 5U});
  f.finish();
  const auto summary = f.writer->run({});
  CHECK(total(f.sink.losses) == 5);
  CHECK(summary.losses.empty());
}

TEST_CASE("an idle writer shows that it lives") {
  Fixture f;
  f.options.heartbeat = 20ms;
  std::jthread source{[&f] {
    std::this_thread::sleep_for(200ms);
    f.finish();
  }};
  CHECK(f.run().written == 0);
  CHECK(f.sink.empty_batches >= 3);
  CHECK(f.writer->counters().batches == 0);
}

namespace {

// With a server that is away and a thousand events in the pool: how long the writer goes on after its
// deadline.
std::chrono::nanoseconds time_to_give_up() {
  Fixture f;
  f.options.rows = 100;
  f.options.backoff = {10s, 10s};
  f.sink.away = true;
  for (std::uint64_t i = 1; i <= 1000; ++i) f.submit(i);
  f.finish();
  f.writer = std::make_unique<Writer>(f.pool, f.sink, f.options, f.observer);
  f.writer->book({1, 2, "kernel", "ring-full", Kind::exec, {}, 5U});
  std::stop_source stop;
  Writer::Summary summary;
  std::jthread writer{[&] { summary = f.writer->run(stop.get_token()); }};
  std::this_thread::sleep_for(50ms);
  const auto before = std::chrono::steady_clock::now();
  stop.request_stop();
  writer.join();
  const auto took = std::chrono::steady_clock::now() - before;
  CHECK(summary.written == 0);
  CHECK(summary.unwritten == 1000);
  CHECK(total(summary.losses) == 5);
  CHECK(f.pool.usage().in_use == 0);
  return took;
}

}  // namespace

TEST_CASE("at the deadline it gives up at once and counts what is left") {
  // The quickest of three: a busy machine may delay any one of them.
  CHECK(std::min({time_to_give_up(), time_to_give_up(), time_to_give_up()}) < 100ms);
}

TEST_CASE("a deadline before the start leaves everything counted, losses too") {
  Fixture f;
  f.submit(1);
  f.finish();
  std::stop_source stop;
  stop.request_stop();
  f.writer = std::make_unique<Writer>(f.pool, f.sink, f.options, f.observer);
  f.writer->book({1, 2, "kernel", "ring-full", Kind::exec, {}, 5U});
  const auto summary = f.writer->run(stop.get_token());
  CHECK(summary.unwritten == 1);
  CHECK(total(summary.losses) == 5);
}
