// Reader: the reader's side. Follows the records across the segments and fills batches with them; steps over
// damaged ones and books those that nobody has booked yet.
//
// Before a batch leaves, what it holds is on the disk: a database must never know a place that a crash of the
// machine could take away again here. Mostly the writer has synced it already.
//
// One thread.
#ifndef IPTRACKD_SPOOL_READER_H
#define IPTRACKD_SPOOL_READER_H

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/batch.h"
#include "core/batch_source.h"
#include "core/fd.h"
#include "core/result.h"
#include "spool/catalog.h"
#include "spool/damage_book.h"
#include "spool/directory.h"
#include "spool/io.h"
#include "spool/segment.h"

namespace iptrackd::spool {

class Reader {
 public:
  // All must outlive it.
  Reader(Io &io, const Directory &directory, Catalog &catalog, DamageBook &damages,
         std::chrono::milliseconds patience)
      : io_{io}, directory_{directory}, catalog_{catalog}, damages_{damages}, patience_{patience} {}

  // As BatchSource has them.
  [[nodiscard]] Result<BatchSource::Read> read(Position from, const BatchLimits &limits, Batch &batch,
                                               const std::stop_token &stop);
  [[nodiscard]] BatchSource::Lineage lineage(Position position);

 private:
  enum class Fill : std::uint8_t { full, end };  // end: nothing more in what may be read
  // Where the next record is searched.
  struct Cursor {
    std::uint64_t index = 0;
    std::uint64_t token = 0;   // of the last intact record before
    std::uint64_t serial = 0;  // of the segment; 0: not looked up yet
    std::uint64_t offset = 0;
  };
  // The first intact record from an index on.
  struct Place {
    std::uint64_t index = 0;  // the end of the segment where there is none
    std::uint64_t offset = 0;
    std::uint64_t token = 0;  // of the last intact record before INDEX in this segment; 0: there is none
    std::uint64_t token_index = 0;  // and its index
  };

  [[nodiscard]] Result<Fill> fill(const BatchLimits &limits, Batch &batch);
  [[nodiscard]] Result<Fill> fill_from(const Segment &segment, const BatchLimits &limits, Batch &batch);
  [[nodiscard]] Result<void> enter(const Segment &segment);
  [[nodiscard]] Result<void> open(const Segment &segment);
  [[nodiscard]] Place locate(const Segment &segment, std::uint64_t index);
  [[nodiscard]] Result<std::optional<Record>> record_here(const Segment &segment);
  [[nodiscard]] Result<void> load_window(const Segment &segment, std::size_t needed);
  [[nodiscard]] std::string_view window_here() const;
  [[nodiscard]] bool deliver(const Record &record, Batch &batch);
  void step_over(const Segment &segment);
  void skip_to(const Segment &segment, std::uint64_t index, const char *what);
  void make_durable(Position position);
  [[nodiscard]] Result<BatchSource::Read> hand_out(Batch &batch, bool closed);

  Io &io_;
  const Directory &directory_;
  Catalog &catalog_;
  DamageBook &damages_;
  const std::chrono::milliseconds patience_;

  Cursor cursor_;
  std::size_t batch_bytes_ = 0;
  std::int64_t last_unix_us_ = 0;  // of the last record delivered
  Fd fd_;
  std::uint64_t fd_serial_ = 0;  // the segment that fd_ is open on; 0: none
  std::string window_;           // a part of it
  std::uint64_t window_begin_ = 0;
  std::optional<SteadyClock::time_point> failing_since_;  // reads fail since then
};

}  // namespace iptrackd::spool

#endif
