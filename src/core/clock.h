// Clock: turns the kernel's boot time into UTC, right across steps of the clock.
//
// Events carry CLOCK_BOOTTIME, which never steps and goes on in suspend. What it is in UTC depends on the
// clock as it was set at that moment: so the offset is sampled often (each drain of the rings), and a step
// begins a new segment. An event is converted by the segment that it happened in; within one sampling
// interval of a step it may get either.
#ifndef IPTRACKD_CORE_CLOCK_H
#define IPTRACKD_CORE_CLOCK_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace iptrackd {

// CLOCK_BOOTTIME now, in ns.
[[nodiscard]] std::uint64_t boot_time_ns() noexcept;

// CLOCK_REALTIME now, in microseconds since 1970.
[[nodiscard]] std::int64_t unix_time_us() noexcept;

// Not thread-safe: each thread that converts has its own.
class Clock {
 public:
  struct Reading {
    std::uint64_t boot_ns;
    std::int64_t unix_ns;  // CLOCK_REALTIME at the same instant
  };
  using Source = std::function<Reading()>;

  Clock();                        // the system's clocks
  explicit Clock(Source source);  // a test's

  // Looks at the clocks; returns the boot time that it saw.
  std::uint64_t sample();
  // UTC in microseconds since 1970, rounded down.
  [[nodiscard]] std::int64_t unix_us(std::uint64_t boot_ns) const noexcept;
  // Steps seen so far.
  [[nodiscard]] std::size_t steps() const noexcept { return steps_; }

 private:
  struct Segment {
    std::uint64_t begin_boot_ns;
    std::int64_t offset_ns;  // add to boot time for UTC
  };
  Source source_;
  std::vector<Segment> segments_;  // oldest first, never empty
  std::size_t steps_ = 0;
};

}  // namespace iptrackd

#endif
