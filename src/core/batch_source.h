// BatchSource: the spool, as the room that delivers sees it. One thread uses it.
#ifndef IPTRACKD_CORE_BATCH_SOURCE_H
#define IPTRACKD_CORE_BATCH_SOURCE_H

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>

#include "core/batch.h"
#include "core/result.h"

namespace iptrackd {

struct BatchLimits {
  std::size_t rows = 5000;                // entries
  std::size_t bytes = 4U << 20;           // of the records as the source keeps them
  std::chrono::milliseconds linger{200};  // from the first entry on: how long to wait for a full batch
};

class BatchSource {
 public:
  virtual ~BatchSource() = default;

  // The UUID's text; another one after fork().
  [[nodiscard]] virtual std::string id() const = 0;
  // What has been acknowledged, as the source remembers it across restarts.
  [[nodiscard]] virtual Position acknowledged() const = 0;
  // Before the first entry that it still holds.
  [[nodiscard]] virtual Position first() const = 0;

  enum class Lineage : std::uint8_t {
    held,     // the records on are here, and the one before POSITION is the one that POSITION means
    gone,     // POSITION is older than everything that is held
    foreign,  // another spool has been there: its record, or its length, is not ours
  };
  [[nodiscard]] virtual Lineage lineage(Position position) const = 0;
  // Takes a UUID of its own, as another spool uses this one's.
  [[nodiscard]] virtual Result<void> fork() = 0;

  enum class Read : std::uint8_t {
    some,     // BATCH holds at least one entry, or steps over damaged ones
    nothing,  // none has come within LINGER
    ended,    // none will come any more
  };
  // Fills BATCH with what follows FROM, all of one origin. Waits for the first entry up to `linger`, or until
  // STOP is requested. Fault environment: what is on the disk cannot be read now.
  [[nodiscard]] virtual Result<Read> read(Position from, const BatchLimits &limits, Batch &batch,
                                          const std::stop_token &stop) = 0;
  // All before POSITION is stored elsewhere; may go back where that place has lost it again.
  virtual void acknowledge(Position position) = 0;
};

}  // namespace iptrackd

#endif
