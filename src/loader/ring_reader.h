// Ring reader: drains the rings into the pool, on a timer. One thread.
//
// It reads on behind what it has read, and gives a record back to its ring only when settle() said that the
// spool holds it. A record that the spool held already when the daemon started is left out.
#ifndef IPTRACKD_LOADER_RING_READER_H
#define IPTRACKD_LOADER_RING_READER_H

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/pool.h"
#include "loader/outstanding.h"
#include "loader/redactor.h"
#include "loader/tracer.h"

namespace iptrackd::loader {

// A ring's map id and the end of a record in it.
using RingPlace = std::pair<std::uint32_t, std::uint64_t>;

struct RingReaderOptions {
  std::chrono::milliseconds drain_interval{5};
  std::set<RingPlace> held;  // records that the spool held at the start
};

class RingReader {
 public:
  // TRACER, POOL and REDACTOR must outlive the reader.
  RingReader(Tracer &tracer, Pool &pool, const Redactor &redactor, RingReaderOptions options);

  // The thread's body: returns after STOP, when the rings have been drained one last time. GIVE_UP ends a
  // wait for a free record as well; what was not read then is left in the rings.
  void run(std::stop_token stop, std::stop_token give_up);

  // EVENT, which came from here, is in the spool, or on the books as a loss. Thread-safe.
  void settle(const Event &event);
  // How often the rings have been looked at: it rises as long as the thread lives. Thread-safe.
  [[nodiscard]] std::uint64_t rounds() const noexcept { return rounds_.load(); }
  // Records that could not be decoded. Thread-safe.
  [[nodiscard]] std::uint64_t undecodable() const noexcept { return undecodable_.load(); }

 private:
  struct Source {
    std::uint32_t id;
    Ring *ring;  // for the reader's thread; null: it was an older one, and is empty now
    std::unique_ptr<Outstanding> outstanding;
  };

  bool drain(const std::stop_token &give_up);
  bool drain_ring(Source &source, const std::stop_token &give_up);
  bool take(Source &source, std::span<const std::byte> record, const std::stop_token &give_up);
  void forget_older_when_empty();
  [[nodiscard]] bool may_doze() const;
  void wait(const std::stop_token &stop);

  Tracer &tracer_;
  Pool &pool_;
  const Redactor &redactor_;
  RingReaderOptions options_;
  const std::uint64_t started_ns_;
  std::vector<Source> sources_;  // the first two are this set's own
  Clock clock_;
  std::uint32_t idle_rounds_ = 0;
  std::atomic<std::uint64_t> rounds_{0};
  std::atomic<std::uint64_t> undecodable_{0};
};

}  // namespace iptrackd::loader

#endif
