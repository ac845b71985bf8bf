#include "sink/writer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>

#include "sink/fake_sink.h"
#include "sink/fake_source.h"
#include "sink/samples.h"

using namespace iptrackd;
using namespace std::chrono_literals;
using sink::Writer;
using test::FakeSink;
using test::FakeSource;

namespace {

using Failure = FakeSink::Failure;

struct Fixture {
  FakeSource source{test::sample_origin};
  FakeSink sink;
  Writer::Options options = [] {
    Writer::Options quick;
    quick.batch.linger = 5ms;
    quick.backoff = {1ms, 5ms};
    return quick;
  }();
  Writer::Observer observer;
  std::vector<std::uint64_t> aside;

  void add(std::uint64_t count, std::string_view comm = "ls") {
    for (std::uint64_t i = 0; i < count; ++i) {
      Event event = test::exec_event(source.size() + 1, 0, comm);
      event.unix_us = static_cast<std::int64_t>(event.seq);
      source.add(event);
    }
  }
  Writer::Summary run(std::stop_token stop = {}) {
    writer = std::make_unique<Writer>(source, sink, test::sample_origin, options, observer,
                                      [this](const BatchView &view, const Error &) -> Result<void> {
                                        aside.push_back(view.to.index);
                                        return {};
                                      });
    return writer->run(std::move(stop));
  }
  Writer::Summary run_to_end() {
    source.end();
    return run();
  }
  [[nodiscard]] bool stored_once(std::uint64_t count) const {
    std::vector<std::uint64_t> sorted = sink.seqs;
    std::sort(sorted.begin(), sorted.end());
    for (std::uint64_t i = 0; i < sorted.size(); ++i) {
      if (sorted[i] != i + 1) return false;
    }
    return sorted.size() == count;
  }
  std::unique_ptr<Writer> writer;
};

}  // namespace

TEST_CASE("everything is stored once, in order, in batches of at most `rows`") {
  Fixture f;
  f.options.batch.rows = 64;
  f.add(1000);
  const auto summary = f.run_to_end();
  CHECK(summary.written == 1000);
  CHECK(summary.complete);
  CHECK(summary.acknowledged.index == 1000);
  CHECK(f.stored_once(1000));
  CHECK(std::is_sorted(f.sink.seqs.begin(), f.sink.seqs.end()));
  CHECK(f.sink.largest == 64);
  CHECK(f.writer->counters().rows == 1000);
  CHECK(f.writer->counters().batches == f.sink.batches);
  CHECK(f.writer->counters().last_unix_us == 1000);
}

TEST_CASE("losses, events of the host and damaged records go the same way") {
  Fixture f;
  f.source.add_gap();
  f.source.add(HostEvent{1, "start", ""});
  f.add(2);
  f.source.add(Loss{1, 2, "kernel", "ring-full", Kind::exec, {}, 5U});
  f.source.add_gap();
  CHECK(f.run_to_end().complete);
  CHECK(f.sink.seqs.size() == 2);
  REQUIRE(f.sink.losses.size() == 1);
  CHECK(f.sink.losses[0].count == 5U);
  REQUIRE(f.sink.host_events.size() == 1);
  CHECK(f.source.acknowledged().index == 6);
  CHECK(f.sink.positions[f.source.id()] == f.source.acknowledged());
}

TEST_CASE("a lost connection costs nothing: the sink is asked and the same entries are written again") {
  Fixture f;
  f.sink.failures = {Failure::connection, Failure::environment, Failure::connection};
  int failed = 0;
  int recovered = 0;
  f.observer.failed = [&](const Error &error) {
    ++failed;
    CHECK(error.message() == "as told");
  };
  f.observer.recovered = [&] { ++recovered; };
  f.add(100);
  CHECK(f.run_to_end().written == 100);
  CHECK(f.stored_once(100));
  CHECK(f.writer->counters().errors == 3);
  CHECK(f.sink.opens == 4);
  CHECK(failed == 1);  // reported once, not at every attempt
  CHECK(recovered == 1);
}

TEST_CASE("an answer that was lost costs no duplicate") {
  Fixture f;
  f.options.batch.rows = 10;
  f.sink.failures = {Failure::answer_lost, Failure::connection, Failure::answer_lost};
  f.add(100);
  CHECK(f.run_to_end().complete);
  CHECK(f.stored_once(100));
  for (std::size_t i = 1; i < f.source.acknowledgements.size(); ++i) {
    CHECK(f.source.acknowledgements[i].index > f.source.acknowledgements[i - 1].index);
  }
}

TEST_CASE("another who moves the position is noticed, and what he stored is not stored again") {
  Fixture f;
  f.options.batch.rows = 10;
  f.add(40);
  int moved = 0;
  f.observer.moved = [&] { ++moved; };
  f.observer.written = [&](std::size_t) {
    if (f.sink.batches == 2) f.sink.positions[f.source.id()] = {30, 30 * 0x9e3779b97f4a7c15U};
  };
  CHECK(f.run_to_end().complete);
  CHECK(moved == 1);
  CHECK(f.sink.seqs.size() == 30);
  CHECK(f.sink.seqs.back() == 40);
}

TEST_CASE("poison is set aside entry by entry and booked, all others are stored in order") {
  Fixture f;
  std::vector<std::uint64_t> rejected;
  f.observer.rejected = [&](const BatchView &view, const Error &error) {
    rejected.push_back(view.to.index);
    CHECK(error.fault() == Fault::rejected);
  };
  for (std::uint64_t i = 1; i <= 331; ++i)
    f.add(1, i == 1 || i == 100 || i == 101 || i == 331 ? "poison" : "ls");
  f.source.add(Loss{1, 2, "poison", "ring-full", Kind::bind, {}, 5U});
  f.source.add(HostEvent{1, "poison", ""});
  const auto summary = f.run_to_end();
  CHECK(summary.written == 327);
  CHECK(summary.rejected == 6);
  CHECK(summary.complete);
  CHECK(rejected == std::vector<std::uint64_t>{1, 100, 101, 331, 332, 333});
  CHECK(f.aside == rejected);
  CHECK(std::is_sorted(f.sink.seqs.begin(), f.sink.seqs.end()));
  CHECK(f.sink.seqs.size() == 327);
  REQUIRE(f.sink.losses.size() == 6);
  for (const Loss &loss : f.sink.losses) CHECK(loss.stage + loss.cause == "sinkrejected");
  CHECK(f.sink.losses[1].uid == 1000U);
  CHECK(f.sink.losses[1].from_unix_us == 100);
  CHECK(f.sink.losses[4].count == 5U);
  CHECK(f.source.acknowledged().index == 333);
}

TEST_CASE("a time that the sink refuses does not keep the loss from being booked") {
  Fixture f;
  Event event = test::exec_event(1, INT64_MIN, "poison");
  f.source.add(event);
  CHECK(f.run_to_end().complete);
  REQUIRE(f.sink.losses.size() == 1);
  CHECK(f.sink.losses[0].from_unix_us > 0);
}

TEST_CASE("a lost connection or answer while poison is being looked for costs nothing, at whichever write") {
  for (std::size_t nth = 0; nth < 12; ++nth) {
    for (const Failure failure : {Failure::connection, Failure::answer_lost}) {
      CAPTURE(nth);
      Fixture f;
      for (std::uint64_t i = 1; i <= 8; ++i) f.add(1, i == 5 ? "poison" : "ls");
      std::size_t writes = 0;
      // The first NTH writes go as they go.
      struct Nth final : sink::Sink {
        FakeSink &inner;
        std::size_t &writes;
        std::size_t nth;
        Failure failure;
        Nth(FakeSink &s, std::size_t &w, std::size_t n, Failure what)
            : inner{s}, writes{w}, nth{n}, failure{what} {}
        std::string_view driver() const noexcept override { return "nth"; }
        Result<std::optional<Position>> open(const std::string &id, const Origin &origin,
                                             std::stop_token stop) override {
          return inner.open(id, origin, stop);
        }
        Result<void> write(const std::string &id, const BatchView &view, std::stop_token stop) override {
          if (writes++ == nth) inner.failures = {failure};
          return inner.write(id, view, stop);
        }
      } sink{f.sink, writes, nth, failure};
      f.source.end();
      Writer writer{f.source, sink, test::sample_origin, f.options, {}, {}};
      CHECK(writer.run({}).complete);
      CHECK(f.sink.seqs == std::vector<std::uint64_t>{1, 2, 3, 4, 6, 7, 8});
      CHECK(f.sink.losses.size() == 1);
    }
  }
}

TEST_CASE("an entry that fails for unknown reasons is set aside, but only if the sink takes others") {
  Fixture f;
  for (std::uint64_t i = 1; i <= 100; ++i) f.add(1, i == 1 || i == 77 ? "peculiar" : "ls");
  CHECK(f.run_to_end().complete);
  CHECK(f.aside == std::vector<std::uint64_t>{1, 77});
  CHECK(f.sink.seqs.size() == 98);
  CHECK(f.sink.losses.size() == 2);

  Fixture g;
  g.add(10);
  g.sink.broken = true;
  std::stop_source stop;
  std::jthread later{[&] {
    std::this_thread::sleep_for(200ms);
    stop.request_stop();
  }};
  CHECK(!g.run(stop.get_token()).complete);
  CHECK(g.writer->counters().errors > 20);
  CHECK(g.aside.empty());
  CHECK(g.sink.losses.empty());
  g.sink.broken = false;
  CHECK(g.run_to_end().complete);
  CHECK(g.stored_once(10));
}

TEST_CASE("a sink that came back older gets everything again, and is told so, once") {
  Fixture f;
  f.options.batch.rows = 10;
  f.sink.failures = {};
  f.add(100);
  const Position earlier{40, 40 * 0x9e3779b97f4a7c15U};
  bool restored = false;
  f.observer.written = [&](std::size_t) {
    if (std::exchange(restored, f.sink.batches == 8) || !restored) return;
    f.sink.positions[f.source.id()] = earlier;
    f.sink.seqs.resize(40);
    f.sink.failures = {Failure::connection, Failure::answer_lost};
  };
  CHECK(f.run_to_end().complete);
  CHECK(f.stored_once(100));
  REQUIRE(f.sink.host_events.size() == 1);
  CHECK(f.sink.host_events[0].kind == "database-rewound");
  CHECK(f.sink.host_events[0].detail == "40 records that were stored are sent again");
  CHECK(f.sink.losses.empty());
}

TEST_CASE("what a rewound sink lost and the spool has no more is one loss, in the step over it") {
  for (const bool answer_lost : {false, true}) {
    Fixture f;
    f.add(100);
    CHECK(f.run_to_end().complete);
    f.sink.positions[f.source.id()] = {20, 20 * 0x9e3779b97f4a7c15U};
    f.sink.seqs.resize(20);
    f.source.forget_before(63);
    if (answer_lost) f.sink.failures = {Failure::answer_lost};
    CHECK(f.run().complete);
    CHECK(f.sink.seqs.size() == 57);
    REQUIRE(f.sink.losses.size() == 1);
    CHECK(f.sink.losses[0].cause == "database-rewound");
    CHECK(f.sink.losses[0].count == 43U);
    CHECK(f.sink.losses[0].to_unix_us == 64);
    REQUIRE(f.sink.host_events.size() == 1);
    CHECK(f.source.acknowledged().index == 100);
  }
}

TEST_CASE("a clone is told apart, takes an identity of its own, and skips nothing of its own") {
  Fixture f;
  f.add(50);
  CHECK(f.run_to_end().complete);
  FakeSource clone{f.source};
  clone.diverge();
  f.add(30);
  CHECK(f.run().complete);
  for (std::uint64_t seq = 1001; seq <= 1030; ++seq) clone.add(test::exec_event(seq, 5));
  clone.end();
  for (const bool answer_lost : {true, false}) {
    if (answer_lost) f.sink.failures = {Failure::answer_lost};
    Writer writer{clone, f.sink, test::sample_origin, f.options, {}, {}};
    CHECK(writer.run({}).complete);
  }
  CHECK(clone.forks == 1);
  CHECK(f.sink.seqs.size() == 110);
  CHECK(std::count_if(f.sink.seqs.begin(), f.sink.seqs.end(), [](std::uint64_t seq) { return seq > 1000; }) ==
        30);
  REQUIRE(f.sink.host_events.size() == 1);
  CHECK(f.sink.host_events[0].kind == "spool-forked");
  CHECK(f.sink.losses.empty());
}

TEST_CASE("a sink that cannot know goes on where the source remembers") {
  Fixture f;
  f.sink.knows = false;
  f.add(10);
  f.source.acknowledge({4, 4 * 0x9e3779b97f4a7c15U});
  CHECK(f.run_to_end().complete);
  CHECK(f.sink.seqs.front() == 5);
  CHECK(f.source.acknowledged().index == 10);
}

TEST_CASE("an idle writer shows that it lives") {
  Fixture f;
  f.options.heartbeat = 20ms;
  std::jthread source{[&f] {
    std::this_thread::sleep_for(200ms);
    f.source.end();
  }};
  CHECK(f.run().written == 0);
  CHECK(f.sink.empty_batches >= 3);
  CHECK(f.writer->counters().batches == 0);
}

TEST_CASE("an impossible setting ends the first attempt") {
  struct Impossible final : sink::Sink {
    std::string_view driver() const noexcept override { return "impossible"; }
    Result<std::optional<Position>> open(const std::string &, const Origin &, std::stop_token) override {
      return fail(Fault::usage, "no file name");
    }
    Result<void> write(const std::string &, const BatchView &, std::stop_token) override { return {}; }
  } sink;
  Fixture f;
  Writer writer{f.source, sink, test::sample_origin, f.options, {}, {}};
  const auto summary = writer.run({});
  REQUIRE(summary.error.has_value());
  CHECK(summary.error->message() == "no file name");
}

namespace {

// With a server that is away: how long the writer goes on after its deadline.
std::chrono::nanoseconds time_to_give_up() {
  Fixture f;
  f.options.backoff = {10s, 10s};
  f.sink.away = true;
  f.add(1000);
  std::stop_source stop;
  Writer::Summary summary;
  std::jthread writer{[&] { summary = f.run(stop.get_token()); }};
  std::this_thread::sleep_for(50ms);
  const auto before = std::chrono::steady_clock::now();
  stop.request_stop();
  writer.join();
  const auto took = std::chrono::steady_clock::now() - before;
  CHECK(summary.written == 0);
  CHECK(!summary.complete);
  CHECK(summary.acknowledged == Position{});
  return took;
}

}  // namespace

TEST_CASE("at the deadline it gives up at once") {
  // The quickest of three: a busy machine may delay any one of them.
  CHECK(std::min({time_to_give_up(), time_to_give_up(), time_to_give_up()}) < 100ms);
}
