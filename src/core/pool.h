// Pool: the bounded store between the sources of events and the sink. It owns every Event in flight, merges
// the sources in time order, and gives out seq in that order.
//
//   ring reader ──acquire/submit/advance──┐
//                                         ├── Pool ──take──> sink
//   FIFO reader ──acquire/submit/advance──┘
//
// Records are allocated ahead in blocks and reused. When none is free and the pool may not grow, acquire()
// waits: the ring buffer, the pipe and the kernel's counters take the pressure, never memory.
//
// Order: each source says with advance() up to which instant it has handed in everything. Events older than
// the slowest source's word are final and leave in the order of their time. A source that has stopped calls
// finish(). When no record is free, the oldest leave without waiting for that word.
//
// All members are thread-safe. The pool must outlive every EventPtr.
#ifndef IPTRACKD_CORE_POOL_H
#define IPTRACKD_CORE_POOL_H

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <stop_token>
#include <vector>

#include "core/event.h"

namespace iptrackd {

class Pool;

struct ReturnToPool {
  Pool *pool = nullptr;
  void operator()(Event *event) const noexcept;
};
using EventPtr = std::unique_ptr<Event, ReturnToPool>;

class Pool {
 public:
  enum class Source : std::uint8_t { kernel, pam };
  static constexpr std::size_t source_count = 2;

  // How long an acquire() waits before it complains, again and again: `min`, from the `grow_threshold`th time
  // on `delta` longer each time, at most `max`. A record that becomes free ends the wait at once.
  struct PushWait {
    std::chrono::seconds min{5};
    std::chrono::seconds max{600};
    std::chrono::seconds delta{5};
    std::uint32_t grow_threshold = 4;
  };
  struct Options {
    std::size_t min = 32;                // records allocated at the start
    std::size_t max = 0;                 // records at most; 0: only max_bytes bounds
    std::size_t delta = 32;              // records that a growth step adds
    std::size_t max_bytes = 256U << 20;  // memory of all records, their buffers included
    PushWait push_wait;
    std::uint64_t last_seq = 0;  // given out in this boot by the daemon before
    // Called without the lock, each time an acquire() has waited in vain.
    std::function<void(std::chrono::seconds waited)> on_full;
  };
  struct Usage {
    std::size_t allocated = 0;  // records
    std::size_t in_use = 0;     // records held by a source, waiting, or held by the sink
    std::size_t bytes = 0;
    std::uint64_t waits = 0;  // acquire() calls that found no free record
  };

  explicit Pool(Options options);
  ~Pool();
  Pool(const Pool &) = delete;
  Pool &operator=(const Pool &) = delete;

  // An empty record. Null only when STOP was requested while none was free.
  [[nodiscard]] EventPtr acquire(std::stop_token stop);
  // Hands in a record; its boot_ns must be set.
  void submit(Source source, EventPtr event);
  // SOURCE has handed in every event before BOOT_NS. Never moves backwards.
  void advance(Source source, std::uint64_t boot_ns);
  // SOURCE will hand in nothing more.
  void finish(Source source);

  // Moves up to MAX final events, in order and with seq set, to the end of OUT; waits up to LINGER for the
  // first one. Returns false when every source has finished and nothing is left.
  bool take(std::vector<EventPtr> &out, std::size_t max, std::chrono::milliseconds linger);

  // Gives EVENT, which came by another way, the next seq.
  void stamp(Event &event);

  [[nodiscard]] Usage usage() const;

 private:
  friend struct ReturnToPool;
  struct Waiting {
    std::uint64_t boot_ns;
    std::uint64_t arrival;  // keeps the order of events of one instant
    Event *event;
  };

  bool grow();
  void give_seq(Event &event) noexcept;
  void release(Event *event) noexcept;
  [[nodiscard]] std::uint64_t frontier() const noexcept;
  [[nodiscard]] bool has_final() const noexcept;

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable_any free_slot_;
  std::condition_variable ready_;
  // Guarded by mutex_ from here on.
  std::vector<std::unique_ptr<Event[]>> blocks_;
  std::vector<Event *> free_;
  std::vector<Waiting> waiting_;  // heap, oldest first
  std::array<std::uint64_t, source_count> advanced_{};
  std::size_t starved_ = 0;  // acquire() calls that wait
  std::size_t allocated_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t arrivals_ = 0;
  std::uint64_t last_seq_;
  std::uint64_t waits_ = 0;
};

}  // namespace iptrackd

#endif
