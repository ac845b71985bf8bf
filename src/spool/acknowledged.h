// AcknowledgedFile: how far the records are stored elsewhere, across restarts. Not synced: the database knows
// better, and a place too far back only means that segments stay longer.
//
//   slot 0 at 0, slot 1 at 32, written in turn: number u64, index u64, token u64, XXH3 of these
//
// The slot with the higher number holds; where the writing of one was cut off, the other does. Not
// thread-safe.
#ifndef IPTRACKD_SPOOL_ACKNOWLEDGED_H
#define IPTRACKD_SPOOL_ACKNOWLEDGED_H

#include <chrono>
#include <cstdint>
#include <optional>

#include "core/batch.h"
#include "core/fd.h"
#include "core/result.h"
#include "spool/directory.h"
#include "spool/io.h"

namespace iptrackd::spool {

class AcknowledgedFile {
 public:
  // IO must outlive it.
  [[nodiscard]] static Result<AcknowledgedFile> open(Io &io, const Directory &directory);

  // As the file had it at open(); nullopt: nothing was acknowledged yet, or both slots are damaged.
  [[nodiscard]] std::optional<Position> position() const noexcept { return position_; }
  // How long ago it was written last; 0 where the clock went back.
  [[nodiscard]] std::chrono::milliseconds age() const noexcept { return age_; }
  // Returns 0 or the errno.
  [[nodiscard]] int write(Position position);

 private:
  explicit AcknowledgedFile(Io &io) noexcept : io_{&io} {}

  Io *io_;
  Fd fd_;
  std::uint64_t number_ = 0;  // of the slot written last
  std::optional<Position> position_;
  std::chrono::milliseconds age_{0};
};

}  // namespace iptrackd::spool

#endif
