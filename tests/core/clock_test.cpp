#include "core/clock.h"

#include <doctest/doctest.h>

#include <ctime>

using iptrackd::Clock;

namespace {

constexpr std::int64_t second = 1'000'000'000;

// A boot clock and a wall clock that a test moves.
struct FakeClocks {
  std::uint64_t boot_ns = 100 * second;
  std::int64_t unix_ns = 1'700'000'000 * second;

  Clock::Source source() {
    return [this] { return Clock::Reading{boot_ns, unix_ns}; };
  }
  void pass(std::int64_t ns) {
    boot_ns += static_cast<std::uint64_t>(ns);
    unix_ns += ns;
  }
};

}  // namespace

TEST_CASE("boot time becomes UTC microseconds, rounded down") {
  FakeClocks clocks;
  const Clock clock{clocks.source()};
  CHECK(clock.unix_us(100 * second) == 1'700'000'000'000'000);
  CHECK(clock.unix_us(100 * second + 1'999) == 1'700'000'000'000'001);
  CHECK(clock.unix_us(99 * second) == 1'699'999'999'000'000);
}

TEST_CASE("a step of the wall clock leaves the times of earlier events as they were") {
  FakeClocks clocks;
  Clock clock{clocks.source()};
  clocks.pass(second);
  clock.sample();
  const auto before = clocks.boot_ns;
  clocks.pass(second);
  clocks.unix_ns -= 3600 * second;
  clock.sample();
  const auto after = clocks.boot_ns;
  CHECK(clock.steps() == 1);
  CHECK(clock.unix_us(before) == 1'700'000'001'000'000);
  CHECK(clock.unix_us(after) == 1'700'000'002'000'000 - 3'600'000'000);
}

TEST_CASE("slewing is followed and is no step") {
  FakeClocks clocks;
  Clock clock{clocks.source()};
  for (int i = 0; i < 1000; ++i) {
    clocks.pass(5'000'000);
    clocks.unix_ns += 2'500;  // 500 ppm, the most that NTP slews
    clock.sample();
  }
  CHECK(clock.steps() == 0);
  CHECK(clock.unix_us(clocks.boot_ns) == clocks.unix_ns / 1000);
}

TEST_CASE("many steps are forgotten oldest first, and memory stays bounded") {
  FakeClocks clocks;
  Clock clock{clocks.source()};
  for (int i = 0; i < 1000; ++i) {
    clocks.pass(second);
    clocks.unix_ns += second;
    clock.sample();
  }
  CHECK(clock.steps() == 1000);
  CHECK(clock.unix_us(clocks.boot_ns) == clocks.unix_ns / 1000);
}

TEST_CASE("the system's clocks agree with CLOCK_REALTIME") {
  Clock clock;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const auto here = clock.unix_us(clock.sample());
  const auto there = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  CHECK(here - there >= -1000);
  CHECK(here - there < 1'000'000);
}
