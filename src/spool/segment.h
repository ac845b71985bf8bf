// Segment: the format of one file of the spool. All numbers are little-endian.
//
//   NNNNNNNNNNNNNNNNNNNN.seg, where N is the first index, 20 decimal digits
//   ┌──────────┬────────┬────────┬────────┬─ ─ ─┬───────┐
//   │ header   │ record │ record │ record │     │ end   │   the end: only where the daemon closed the spool
//   └──────────┴────────┴────────┴────────┴─ ─ ─┴───────┘
//
//   header   0  magic "IPTSPOOL"
//            8  version u32, 1
//           12  size u32 of the header, a multiple of 8
//           16  first index u64: of the first record
//           24  salt u64: of the checksums of the records; the same in the whole spool
//           32  ring generation u64: which rings the ring positions of these events speak of
//           40  previous index u64, previous token u64: the place behind the last record known before this
//               segment; the index is lower than the first index where records in between were damaged
//           56  fields (fields.h): 1 host, 2 boot id, 3 a loss that has a counter, once for each
//               zero bytes up to a multiple of 8
//           -8  XXH3 of all before, unsalted
//
//   record   0  length u32 of the payload
//            4  type u32: 1 event, 2 loss, 3 host event, 4 end
//            8  index u64; the end has the index of the next record, which it does not use up
//           16  payload (fields.h)
//               zero bytes up to a multiple of 8
//           -8  XXH3 of all before in this record, salted; 0 is written as 1. It is the record's token.
//
// Where a record is damaged, the reader goes on in steps of 8 bytes to the next place where length, type,
// index and checksum agree. What a user passes as arguments is copied into payloads: the salt, which no user
// can read, keeps him from putting a record there that would be found then.
#ifndef IPTRACKD_SPOOL_SEGMENT_H
#define IPTRACKD_SPOOL_SEGMENT_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch.h"
#include "core/loss.h"

namespace iptrackd::spool {

enum class RecordType : std::uint32_t { event = 1, loss = 2, host_event = 3, end = 4 };

inline constexpr std::size_t record_overhead = 24;
inline constexpr std::size_t max_payload = 1U << 20;
inline constexpr std::size_t max_record = record_overhead + max_payload;
inline constexpr std::size_t max_header = 64U << 10;
inline constexpr std::uint64_t max_segment = 16U << 20;

struct SegmentHeader {
  std::uint64_t first_index = 0;
  std::uint64_t salt = 0;
  std::uint64_t ring_generation = 0;
  Position previous;
  Origin origin;
  std::vector<Loss> counters;  // those that do not fit into max_header are left out
};

[[nodiscard]] std::string encode_header(const SegmentHeader &header);
struct ParsedHeader {
  SegmentHeader header;
  std::size_t size = 0;
};
// nullopt: damaged, or of another version. BYTES may be more or less than the header.
[[nodiscard]] std::optional<ParsedHeader> parse_header(std::string_view bytes);

[[nodiscard]] std::string segment_name(std::uint64_t first_index);
// nullopt: not the name of a segment.
[[nodiscard]] std::optional<std::uint64_t> first_index_of(std::string_view name);

// Appends one record to a buffer: begin() and end() around what encodes the payload.
class RecordWriter {
 public:
  RecordWriter(std::string &buffer, RecordType type, std::uint64_t index);
  // Returns the token; 0: the payload is longer than max_payload, and the buffer is as it was.
  [[nodiscard]] std::uint64_t finish(std::uint64_t salt);

 private:
  std::string &buffer_;
  const std::size_t begin_;
};

struct Record {
  RecordType type = RecordType::event;
  std::uint64_t index = 0;
  std::uint64_t token = 0;
  std::string_view payload;  // within the bytes that were parsed
  std::size_t size = 0;      // of the whole record
};

// The size of the record at the beginning of BYTES, as it says itself; nullopt: there is none.
[[nodiscard]] std::optional<std::size_t> record_size(std::string_view bytes);
// The record at the beginning of BYTES; nullopt: it is not whole, or damaged.
[[nodiscard]] std::optional<Record> parse_record(std::string_view bytes, std::uint64_t salt);

// Finds every intact record of a segment. Not thread-safe.
class Scanner {
 public:
  // From BEGIN on, which is a multiple of 8; indexes from EXPECTED up to, not including, LIMIT.
  Scanner(std::string_view bytes, std::size_t begin, std::uint64_t expected, std::uint64_t limit,
          std::uint64_t salt) noexcept
      : bytes_{bytes}, salt_{salt}, limit_{limit}, expected_{expected}, end_{begin} {}

  // False: there is none any more. An index above expected() before the call: those between are damaged.
  bool next(Record &record);
  // The index that the next record has if it is not damaged.
  [[nodiscard]] std::uint64_t expected() const noexcept { return expected_; }
  // Where the last intact record began and ended.
  [[nodiscard]] std::size_t begin() const noexcept { return begin_; }
  [[nodiscard]] std::size_t end() const noexcept { return end_; }
  // Behind the last intact record: damaged records that are whole and stand one behind the other. REST is
  // what follows them.
  [[nodiscard]] std::uint64_t count_damaged_tail(std::size_t &rest) const;

 private:
  [[nodiscard]] bool is_plausible(std::size_t at) const;

  std::string_view bytes_;
  const std::uint64_t salt_;
  const std::uint64_t limit_;
  std::uint64_t expected_;
  std::size_t begin_ = 0;
  std::size_t end_;
};

}  // namespace iptrackd::spool

#endif
