// Writer: the sink thread's body. It takes the spool's entries in batches and sees each one stored once.
//
//   BatchSource ──read──> Writer ──BatchView──> Sink
//                           │ failed: waits (backoff.h), asks the sink how far it has come, goes on from
//                           there │ moved: the same at once, as a COMMIT that was given up has arrived after
//                           all │ rejected: halves the batch until the entries that the database refuses
//                           stand alone; └ each becomes a loss (stage "sink", cause "rejected"), all others
//                           are stored
//
// Where the sink stands when it is asked (locator.h) decides how to go on. Nothing is acknowledged to the
// source before its commit is known, and no view is written a second time before the sink was asked.
//
// Every failure but a rejection is tried again, environment faults too: a full disk or a schema that is being
// restored passes. Only where an environment fault stays with one batch, while the sink would take another
// row of the kind, the batch is treated as rejected: one entry must not hold up all that follow.
#ifndef IPTRACKD_SINK_WRITER_H
#define IPTRACKD_SINK_WRITER_H

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "core/batch_source.h"
#include "core/result.h"
#include "sink/backoff.h"
#include "sink/locator.h"
#include "sink/sink.h"

namespace iptrackd::sink {

class Writer {
 public:
  struct Options {
    BatchLimits batch;
    std::chrono::milliseconds heartbeat{5000};  // a sign of life is written after that long without entries
    Backoff::Options backoff;
    int attempts = 5;  // with an environment fault, before a batch is suspected
  };
  // Called on the writer's thread; each may be empty. They must not block for long.
  struct Observer {
    std::function<void()> recovered;                  // the first success after failed()
    std::function<void(const Error &)> failed;        // the first failure after a success; it will be retried
    std::function<void(std::size_t events)> written;  // a batch is stored
    // This entry, the only one of the view, is given up and booked as a loss.
    std::function<void(const BatchView &, const Error &)> rejected;
    std::function<void()> moved;  // what had been given up was stored after all, or another wrote
    std::function<void(const HostEvent &)> noticed;  // the database was rewound, the spool forked
  };
  // Keeps a refused entry, the only one of the view, with the reason (rejects.h). May be empty. After a crash
  // it may be called again for the same entry.
  using SetAside = std::function<Result<void>(const BatchView &, const Error &)>;
  struct Counters {
    std::uint64_t rows = 0;         // events stored
    std::uint64_t batches = 0;      // writes that succeeded
    std::uint64_t errors = 0;       // opens, reads and writes that failed, rejections included
    std::uint64_t rejected = 0;     // entries that the database refused
    std::uint64_t moved = 0;        // times that the position was not the expected one
    std::int64_t last_unix_us = 0;  // time of the newest event stored; 0: none yet
  };
  struct Summary {
    std::uint64_t written = 0;   // events
    std::uint64_t rejected = 0;  // entries
    bool complete = false;       // everything that the source had is stored
    Position acknowledged;       // what follows is left to the next run
    std::optional<Error> error;  // of the first attempt, where another would be useless (Fault::usage)
  };

  // SOURCE and SINK must outlive the writer. ORIGIN is the daemon's own.
  Writer(BatchSource &source, Sink &sink, Origin origin, Options options, Observer observer,
         SetAside set_aside);
  Writer(const Writer &) = delete;
  Writer &operator=(const Writer &) = delete;

  // Runs until the source has ended and everything is stored, or until STOP is requested: then it gives up
  // within 100 ms.
  [[nodiscard]] Summary run(std::stop_token stop);

  // Thread-safe.
  [[nodiscard]] Counters counters() const noexcept;

 private:
  using Clock = std::chrono::steady_clock;

  // One round: false when the source has ended.
  [[nodiscard]] Result<bool> step(const std::stop_token &stop);
  [[nodiscard]] Result<void> deliver(const std::stop_token &stop);
  [[nodiscard]] Result<void> store(const BatchView &view, const std::stop_token &stop);
  [[nodiscard]] bool is_refusal(const Error &error, const BatchView &view, const std::stop_token &stop);
  [[nodiscard]] bool takes_others(const BatchView &view, const std::stop_token &stop);
  [[nodiscard]] Result<void> refuse(const BatchView &view, const Error &error, const std::stop_token &stop);
  [[nodiscard]] Result<void> live(const std::stop_token &stop);
  void fail_and_wait(const Error &error, const std::stop_token &stop);
  void note_success(const BatchView &view);

  BatchSource &source_;
  Sink &sink_;
  const Origin origin_;
  const Options options_;
  const Observer observer_;
  const SetAside set_aside_;
  Locator locator_;
  Backoff backoff_;
  Batch batch_;
  bool failing_ = false;
  bool moved_last_ = false;
  Clock::time_point last_write_ = Clock::now();
  // The batch that an environment fault stays with: where it begins, and how often.
  Position trouble_at_;
  int trouble_count_ = 0;
  std::uint64_t suspected_before_ = 0;  // entries before this index belong to a batch that was suspected
  std::optional<Position> set_aside_at_;

  std::atomic<std::uint64_t> rows_{0};
  std::atomic<std::uint64_t> batches_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::atomic<std::uint64_t> rejected_{0};
  std::atomic<std::uint64_t> moves_{0};
  std::atomic<std::int64_t> last_unix_us_{0};
};

}  // namespace iptrackd::sink

#endif
