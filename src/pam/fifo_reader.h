// FifoReader: reads what the callbacks write, and hands it to the pool.
//
//   FIFO ──read──> RecordStream ──> parse_record ──┐
//                                                  ├── Pool (Source::pam)
//   FIFO.d/* ────> Leftovers ─────> parse_record ──┘
//
// While the pool is full the pipe fills, and the callbacks wait; at its end the reader leaves what the pool
// did not take in FIFO.d, for the next daemon. What a SIGKILL loses in the pipe or here, Witnesses
// rebuilds.
#ifndef IPTRACKD_PAM_FIFO_READER_H
#define IPTRACKD_PAM_FIFO_READER_H

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "core/fd.h"
#include "core/pool.h"
#include "core/result.h"
#include "pam/fifo.h"
#include "pam/leftovers.h"
#include "pam/parser.h"
#include "pam/record_stream.h"

namespace iptrackd::pam {

class FifoReader {
 public:
  struct Options {
    std::string path;                   // the FIFO
    std::size_t pipe_bytes = 1U << 20;  // as much as the pipe should hold
    std::chrono::milliseconds tick{
        10};  // longest silence towards the pool: events of all sources wait for it
    std::chrono::milliseconds rescan{1000};  // how often FIFO.d is looked at
  };
  struct Counts {
    std::uint64_t records = 0;        // handed to the pool, from the FIFO
    std::uint64_t leftovers = 0;      // handed to the pool, from FIFO.d
    std::uint64_t bad_records = 0;    // lost: damaged, or contradicting themselves
    std::uint64_t bad_leftovers = 0;  // lost: files in FIFO.d that held no record
    std::uint64_t garbage_bytes = 0;  // read from the FIFO and part of no good record
    std::uint64_t left_again = 0;     // put into FIFO.d at the end, because the pool was full
    std::uint64_t lost_at_stop = 0;   // lost: the pool was full at the end, and FIFO.d refused
  };

  // The FIFO is there and ours when this returns; errors are those of Fifo::open() and Leftovers::check(). A
  // reader that is destroyed before run() leaves nothing behind.
  // INHERITED: the FIFO itself, where somebody holds it for us (Fifo::adopt()).
  [[nodiscard]] static Result<std::unique_ptr<FifoReader>> create(Options options, Fd inherited = {});

  FifoReader(const FifoReader &) = delete;
  FifoReader &operator=(const FifoReader &) = delete;
  ~FifoReader() = default;

  // The body of the reader's thread, once: until STOP is requested. Then the FIFO's name is taken away,
  // unless it was inherited, what was still written is handed in, and the pool hears finish().
  void run(Pool &pool, const std::stop_token &stop);

  // RECORD, which came from here, is safe: what its callback had left in a file may go. Thread-safe; the file
  // goes with the reader's next look, or with the last call of tidy().
  void settle(const Event &record);
  // For run(), and when it has returned.
  void tidy();

  // May be called from any thread.
  [[nodiscard]] Counts counts() const noexcept;

 private:
  FifoReader(Options options, Fifo fifo, Leftovers leftovers, Fd wake);

  void wait(std::chrono::milliseconds longest) const noexcept;
  void drain(Pool &pool, const std::stop_token &stop);
  void take_records(Pool &pool, const std::stop_token &stop, RecordStream::Tail tail);
  void take_leftovers(Pool &pool, const std::stop_token &stop);
  void empty_at_stop(Pool &pool, const std::stop_token &stop);
  void leave(Bytes record);

  struct Counters {
    std::atomic<std::uint64_t> records{0}, leftovers{0}, bad_records{0}, bad_leftovers{0};
    std::atomic<std::uint64_t> garbage_bytes{0}, left_again{0}, lost_at_stop{0};
  };

  const Options options_;
  Fifo fifo_;
  Leftovers leftovers_;
  Fd wake_;  // eventfd: a stop was requested
  RecordStream stream_;
  std::array<std::uint8_t, 16> boot_id_;
  std::uint64_t unparsed_records_ = 0;  // whole, but not understood
  std::mutex settled_mutex_;
  std::vector<std::uint64_t> settled_;  // tickets of leftovers; guarded by settled_mutex_
  Counters counters_;
};

}  // namespace iptrackd::pam

#endif
