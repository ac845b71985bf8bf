#include "core/pool.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <thread>

using namespace std::chrono_literals;
using iptrackd::EventPtr;
using iptrackd::Pool;
using Source = Pool::Source;

namespace {

constexpr auto brief = 20ms;

void put(Pool &pool, Source source, std::uint64_t boot_ns, std::int32_t pid = 0) {
  auto event = pool.acquire({});
  REQUIRE(event);
  event->boot_ns = boot_ns;
  event->pid = pid;
  pool.submit(source, std::move(event));
}

std::vector<std::uint64_t> times(const std::vector<EventPtr> &events) {
  std::vector<std::uint64_t> result;
  for (const auto &event : events) result.push_back(event->boot_ns);
  return result;
}

Pool::Options small(std::size_t min, std::size_t max, std::size_t delta) {
  Pool::Options options;
  options.min = min;
  options.max = max;
  options.delta = delta;
  return options;
}

}  // namespace

TEST_CASE("events leave in time order across sources, and only when both sources are past them") {
  Pool pool{{}};
  put(pool, Source::kernel, 30);
  put(pool, Source::kernel, 10);
  put(pool, Source::pam, 20);
  std::vector<EventPtr> out;

  pool.advance(Source::kernel, 100);
  CHECK(pool.take(out, 10, brief));
  CHECK(out.empty());  // pam may still hand in something older

  pool.advance(Source::pam, 25);
  CHECK(pool.take(out, 10, brief));
  CHECK(times(out) == std::vector<std::uint64_t>{10, 20});

  pool.finish(Source::pam);
  CHECK(pool.take(out, 10, brief));
  CHECK(times(out) == std::vector<std::uint64_t>{10, 20, 30});
}

TEST_CASE("seq is the time, and rises strictly also for events of one instant and for late ones") {
  Pool pool{{}};
  std::vector<EventPtr> out;
  for (const auto time : {50U, 50U, 51U}) put(pool, Source::kernel, time);
  pool.advance(Source::kernel, 60);
  pool.advance(Source::pam, 60);
  CHECK(pool.take(out, 10, brief));
  put(pool, Source::pam, 7);  // much too late
  CHECK(pool.take(out, 10, brief));
  REQUIRE(out.size() == 4);
  CHECK(out[0]->seq == 50);
  CHECK(out[1]->seq == 51);
  CHECK(out[2]->seq == 52);
  CHECK(out[3]->seq == 53);
}

TEST_CASE("events of one instant keep the order in which they were handed in") {
  Pool pool{{}};
  for (int pid = 0; pid < 100; ++pid) put(pool, Source::kernel, 5, pid);
  pool.finish(Source::kernel);
  pool.finish(Source::pam);
  std::vector<EventPtr> out;
  while (pool.take(out, 7, brief)) {
  }
  REQUIRE(out.size() == 100);
  for (int pid = 0; pid < 100; ++pid) CHECK(out[static_cast<std::size_t>(pid)]->pid == pid);
}

TEST_CASE("take ends when every source has finished and nothing is left") {
  Pool pool{{}};
  put(pool, Source::kernel, 1);
  std::vector<EventPtr> out;
  pool.finish(Source::kernel);
  CHECK(pool.take(out, 10, brief));
  pool.finish(Source::pam);
  CHECK_FALSE(pool.take(out, 10, brief));
  CHECK(out.size() == 1);
}

TEST_CASE("records are allocated ahead, in steps, and never beyond max") {
  Pool pool{small(4, 10, 4)};
  CHECK(pool.usage().allocated == 4);
  std::vector<EventPtr> held;
  for (int i = 0; i < 10; ++i) held.push_back(pool.acquire({}));
  CHECK(pool.usage().allocated == 10);
  CHECK(pool.usage().in_use == 10);

  std::stop_source stop;
  std::jthread later{[&] {
    std::this_thread::sleep_for(brief);
    stop.request_stop();
  }};
  CHECK_FALSE(pool.acquire(stop.get_token()));
  CHECK(pool.usage().allocated == 10);
}

TEST_CASE("without max the memory cap bounds, counting what the records hold") {
  auto options = small(1, 0, 1);
  options.max_bytes = 64U << 10;
  Pool pool{options};
  std::size_t records = 0;
  std::stop_source stopped;
  stopped.request_stop();
  while (auto event = pool.acquire(stopped.get_token())) {
    event->exe.assign(std::string(8192, 'x'));
    pool.submit(Source::kernel, std::move(event));
    ++records;
  }
  CHECK(records >= 6);
  CHECK(records <= 8);
}

TEST_CASE("a waiting acquire goes on at once when a record becomes free") {
  auto options = small(1, 1, 1);
  options.push_wait.min = 60s;
  Pool pool{options};
  auto held = pool.acquire({});
  std::jthread later{[&] {
    while (pool.usage().waits == 0) std::this_thread::sleep_for(1ms);
    held.reset();
  }};
  const auto begin = std::chrono::steady_clock::now();
  CHECK(pool.acquire({}));
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
  CHECK(pool.usage().waits == 1);
}

TEST_CASE("each wait in vain is reported, longer and longer after the threshold") {
  auto options = small(1, 1, 1);
  options.push_wait = {.min = 1s, .max = 3s, .delta = 1s, .grow_threshold = 1};
  std::vector<std::chrono::seconds> reports;
  std::stop_source stop;
  options.on_full = [&](std::chrono::seconds waited) {
    reports.push_back(waited);
    if (reports.size() == 2) stop.request_stop();
  };
  Pool pool{options};
  const auto held = pool.acquire({});
  CHECK_FALSE(pool.acquire(stop.get_token()));
  CHECK(reports == std::vector<std::chrono::seconds>{1s, 3s});  // 1 s, then 2 s more
}

TEST_CASE("a record comes back empty") {
  Pool pool{small(1, 1, 1)};
  {
    auto event = pool.acquire({});
    event->exe.assign("/bin/true");
    event->uid = 7;
  }
  const auto event = pool.acquire({});
  CHECK_FALSE(event->exe.known());
  CHECK_FALSE(event->uid.has_value());
}

namespace {

struct Flow {
  std::uint64_t taken = 0;
  bool seq_rises = true;
  bool time_rises = true;
};

// Two sources and a taker at once, COUNT events each.
Flow run_flow(Pool &pool, std::uint64_t count) {
  const auto produce = [&](Source source, std::uint64_t first) {
    for (std::uint64_t i = 0; i < count; ++i) {
      put(pool, source, first + 2 * i);
      pool.advance(source, first + 2 * i);
    }
    pool.finish(source);
  };
  std::jthread kernel{[&] { produce(Source::kernel, 1); }};
  std::jthread pam{[&] { produce(Source::pam, 2); }};
  Flow flow;
  std::uint64_t last_seq = 0;
  std::uint64_t last_time = 0;
  for (bool more = true; more;) {
    std::vector<EventPtr> out;
    more = pool.take(out, 64, brief);
    for (const auto &event : out) {
      flow.seq_rises = flow.seq_rises && event->seq > last_seq;
      flow.time_rises = flow.time_rises && event->boot_ns > last_time;
      last_seq = event->seq;
      last_time = event->boot_ns;
      ++flow.taken;
    }
  }
  return flow;
}

}  // namespace

TEST_CASE("two sources and a taker at once: nothing is lost, order holds") {
  Pool pool{{}};
  const Flow flow = run_flow(pool, 5000);
  CHECK(flow.taken == 10'000);
  CHECK(flow.seq_rises);
  CHECK(flow.time_rises);
  CHECK(pool.usage().in_use == 0);
}

TEST_CASE("seq goes on where the daemon before has ended, and what comes another way gets the next") {
  Pool::Options options;
  options.last_seq = 5000;
  Pool pool{options};
  EventPtr event = pool.acquire({});
  event->boot_ns = 100;
  pool.submit(Pool::Source::kernel, std::move(event));
  pool.finish(Pool::Source::kernel);
  pool.finish(Pool::Source::pam);
  std::vector<EventPtr> taken;
  CHECK_FALSE(pool.take(taken, 10, std::chrono::milliseconds{0}));
  REQUIRE(taken.size() == 1);
  CHECK(taken[0]->seq == 5001);
  iptrackd::Event other;
  other.boot_ns = 90;
  pool.stamp(other);
  CHECK(other.seq == 5002);
}

TEST_CASE("sources that starve each other of records come to no standstill") {
  Pool pool{small(2, 16, 2)};
  const Flow flow = run_flow(pool, 5000);
  CHECK(flow.taken == 10'000);
  CHECK(flow.seq_rises);
}
