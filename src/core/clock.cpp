#include "core/clock.h"

#include <ctime>
#include <utility>

namespace iptrackd {
namespace {

// More than NTP slews within a sampling interval, less than any step worth the name.
constexpr std::int64_t step_ns = 500'000;
constexpr std::size_t max_segments = 64;

std::int64_t read_clock(clockid_t clock) noexcept {
  timespec time{};
  clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// The two clocks cannot be read at once: read one between two readings of the other, and take the tightest of
// a few.
Clock::Reading read_clocks() {
  Clock::Reading best{};
  std::int64_t best_width = INT64_MAX;
  for (int i = 0; i < 5 && best_width > 2'000; ++i) {
    const std::int64_t before = read_clock(CLOCK_BOOTTIME);
    const std::int64_t real = read_clock(CLOCK_REALTIME);
    const std::int64_t after = read_clock(CLOCK_BOOTTIME);
    if (after - before >= best_width) continue;
    best_width = after - before;
    best = {static_cast<std::uint64_t>(before + best_width / 2), real};
  }
  return best;
}

}  // namespace

std::int64_t unix_time_us() noexcept {
  return read_clock(CLOCK_REALTIME) / 1000;
}

std::uint64_t boot_time_ns() noexcept {
  return static_cast<std::uint64_t>(read_clock(CLOCK_BOOTTIME));
}

Clock::Clock() : Clock{read_clocks} {}

Clock::Clock(Source source) : source_{std::move(source)} {
  const Reading now = source_();
  segments_.push_back({0, now.unix_ns - static_cast<std::int64_t>(now.boot_ns)});
}

std::uint64_t Clock::sample() {
  const Reading now = source_();
  const std::int64_t offset = now.unix_ns - static_cast<std::int64_t>(now.boot_ns);
  const std::int64_t change = offset - segments_.back().offset_ns;
  if (change > -step_ns && change < step_ns) {
    segments_.back().offset_ns = offset;
    return now.boot_ns;
  }
  ++steps_;
  if (segments_.size() == max_segments) segments_.erase(segments_.begin());
  segments_.push_back({now.boot_ns, offset});
  return now.boot_ns;
}

std::int64_t Clock::unix_us(std::uint64_t boot_ns) const noexcept {
  auto segment = segments_.rbegin();
  while (segment + 1 != segments_.rend() && segment->begin_boot_ns > boot_ns) ++segment;
  const std::int64_t unix_ns = static_cast<std::int64_t>(boot_ns) + segment->offset_ns;
  return unix_ns / 1000 - (unix_ns % 1000 < 0 ? 1 : 0);
}

}  // namespace iptrackd
