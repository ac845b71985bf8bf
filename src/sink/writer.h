// Writer: the sink thread's body. It takes final events from the pool in batches and sees each one stored, or
// on the books as a loss.
//
//   Pool ──take──> Writer ──Batch──> Sink
//                    │ failed: waits (backoff.h), opens the sink again, writes the same batch
//                    │ rejected: halves the batch until the rows that the database refuses stand alone; those
//                    └ become losses (stage "sink", cause "rejected"), all others are stored
//
// Every failure but a rejection is tried again, environment faults too: a full disk or a schema that is being
// restored passes, and giving up would lose what is held. The program finds out at its start, with
// Sink::open(), whether the database can be used at all.
#ifndef IPTRACKD_SINK_WRITER_H
#define IPTRACKD_SINK_WRITER_H

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "core/pool.h"
#include "core/result.h"
#include "sink/backoff.h"
#include "sink/loss_book.h"
#include "sink/sink.h"

namespace iptrackd::sink {

class Writer {
 public:
  struct Options {
    // A batch is written as soon as one of these is reached. `rows` should be at most half of what the pool
    // may grow to: records of the batch are the pool's, and a batch of all of them would stop the sources for
    // `linger`.
    std::size_t rows = 5000;
    std::size_t bytes = 4U << 20;               // of memory, as Event::footprint() tells
    std::chrono::milliseconds linger{200};      // from the first event of the batch
    std::chrono::milliseconds heartbeat{5000};  // an empty batch is written after that long without events
    Backoff::Options backoff;
  };
  // Called on the writer's thread; each may be empty. They must not block for long.
  struct Observer {
    std::function<void()> recovered;                  // the first success after failed()
    std::function<void(const Error &)> failed;        // the first failure after a success; it will be retried
    std::function<void(std::size_t events)> written;  // a batch is stored
    std::function<void(const Event &, const Error &)>
        rejected;  // this event is given up and booked as a loss
  };
  struct Counters {
    std::uint64_t rows = 0;         // events stored
    std::uint64_t batches = 0;      // writes that succeeded
    std::uint64_t errors = 0;       // opens and writes that failed, rejections included
    std::uint64_t rejected = 0;     // events that the database refused
    std::int64_t last_unix_us = 0;  // time of the newest event stored; 0: none yet
  };
  struct Summary {
    std::uint64_t written = 0;
    std::uint64_t rejected = 0;
    std::uint64_t unwritten = 0;  // events that were left when the deadline came
    std::vector<Loss> losses;     // losses that were left, those of this writer included
  };

  // POOL and SINK must outlive the writer.
  Writer(Pool &pool, Sink &sink, Options options, Observer observer);
  Writer(const Writer &) = delete;
  Writer &operator=(const Writer &) = delete;

  // Books what another stage lost; it is stored with the next batch. Thread-safe.
  void book(const Loss &loss) { book_.add(loss); }

  // Runs until every source of the pool has finished and everything is stored, or until FLUSH_DEADLINE is
  // requested: then it gives up within 100 ms and counts what is left. By then the sources must have
  // finished.
  [[nodiscard]] Summary run(std::stop_token flush_deadline);

  // Thread-safe.
  [[nodiscard]] Counters counters() const noexcept;

 private:
  using Clock = std::chrono::steady_clock;
  using Events = std::span<const Event *const>;

  bool gather();
  void store_batch(const std::stop_token &stop);
  [[nodiscard]] Result<void> store(Events events, std::span<const Loss> losses, const std::stop_token &stop);
  [[nodiscard]] Result<void> attempt(const Batch &batch, const std::stop_token &stop);
  void store_losses(std::span<const Loss> losses, const std::stop_token &stop);
  void store_halves(Events events, const std::stop_token &stop);
  void give_up(const Event &event, const Error &error);
  void note_failure(const Error &error);
  void note_success(const Batch &batch);
  void drain();

  Pool &pool_;
  Sink &sink_;
  const Options options_;
  const Observer observer_;
  LossBook book_;
  Backoff backoff_;
  bool failing_ = false;
  Clock::time_point last_write_ = Clock::now();
  std::vector<EventPtr> batch_;
  std::uint64_t unwritten_ = 0;

  std::atomic<std::uint64_t> rows_{0};
  std::atomic<std::uint64_t> batches_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::atomic<std::uint64_t> rejected_{0};
  std::atomic<std::int64_t> last_unix_us_{0};
};

}  // namespace iptrackd::sink

#endif
