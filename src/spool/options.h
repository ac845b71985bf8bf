// What a spool is opened with.
#ifndef IPTRACKD_SPOOL_OPTIONS_H
#define IPTRACKD_SPOOL_OPTIONS_H

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/batch.h"

namespace iptrackd::spool {

// The end of a record in a ring.
struct RingMark {
  std::uint32_t ring = 0;  // its map id
  std::uint64_t position = 0;

  friend bool operator==(const RingMark &, const RingMark &) = default;
};

struct Options {
  std::string directory;                                       // absolute
  std::uint64_t max_size = 1U << 30;                           // bytes of all segments; at least 1 MiB
  std::chrono::milliseconds sync_interval{50};                 // 0: each append
  std::chrono::milliseconds retain{std::chrono::minutes{15}};  // how long acknowledged segments stay
  // How long the disk may refuse to give up a record before that is counted as damaged and stepped over.
  std::chrono::milliseconds read_patience{std::chrono::minutes{1}};
  Origin origin;                      // of what is appended from now on
  std::uint64_t ring_generation = 0;  // which counters Loss::counter speaks of
  std::vector<RingMark> rings = {};   // those that will be read, and from where on
};

inline constexpr std::uint64_t least_max_size = 1U << 20;

}  // namespace iptrackd::spool

#endif
