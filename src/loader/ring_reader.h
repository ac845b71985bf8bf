// Ring reader: drains the rings into the pool, on a timer. One thread.
#ifndef IPTRACKD_LOADER_RING_READER_H
#define IPTRACKD_LOADER_RING_READER_H

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stop_token>

#include "core/clock.h"
#include "core/pool.h"
#include "loader/redactor.h"
#include "loader/tracer.h"

namespace iptrackd::loader {

struct RingReaderOptions {
  std::chrono::milliseconds drain_interval{5};
};

class RingReader {
 public:
  // TRACER, POOL and REDACTOR must outlive the reader.
  RingReader(Tracer &tracer, Pool &pool, const Redactor &redactor, RingReaderOptions options);

  // The thread's body: returns after STOP, when the rings have been drained one last time. GIVE_UP ends a
  // wait for a free record as well; what is in the rings then is lost.
  void run(std::stop_token stop, std::stop_token give_up);

  // Records that could not be decoded. Thread-safe.
  [[nodiscard]] std::uint64_t undecodable() const noexcept { return undecodable_.load(); }

 private:
  bool drain(std::stop_token give_up);
  bool drain_ring(Ring &ring, std::stop_token give_up);
  void wait(std::stop_token stop);

  Tracer &tracer_;
  Pool &pool_;
  const Redactor &redactor_;
  const RingReaderOptions options_;
  Clock clock_;
  std::uint32_t idle_rounds_ = 0;
  std::atomic<std::uint64_t> undecodable_{0};
};

}  // namespace iptrackd::loader

#endif
