// Finds the records (iptrackd/pam_record.h) in a stream of bytes, and the next one behind bytes that are
// none.
//
// A record that fails its checksum takes no other with it: the search goes on one byte behind its beginning.
// Pure, not thread-safe, never throws once constructed.
#ifndef IPTRACKD_PAM_RECORD_STREAM_H
#define IPTRACKD_PAM_RECORD_STREAM_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "iptrackd/pam_record.h"

namespace iptrackd::pam {

using Bytes = std::span<const std::uint8_t>;

// What stands at the beginning of some bytes.
struct Frame {
  enum class State : std::uint8_t {
    whole,    // a record with the right checksum; `size` is its length
    partial,  // perhaps the beginning of a record
    damaged,  // begins like a record but is none
    foreign,  // does not even begin like one
  };
  State state = State::foreign;
  std::size_t size = 0;
};
[[nodiscard]] Frame inspect_frame(Bytes bytes) noexcept;

class RecordStream {
 public:
  // As much as a pipe of the usual size holds: one read() empties it.
  static constexpr std::size_t capacity = 64U << 10;
  static_assert(capacity > IPTRACKD_PAM_RECORD_MAX, "a record always fits, whatever precedes it");

  enum class Tail : std::uint8_t {
    open,    // more bytes may come and complete a partial record
    closed,  // nothing belongs to what is here any more: a partial record is garbage
  };

  // Where the next bytes go. Never empty after next() has returned nothing. Ends the life of what next()
  // returned.
  [[nodiscard]] std::span<std::uint8_t> space() noexcept;
  // COUNT bytes were put into space().
  void filled(std::size_t count) noexcept;

  // The next whole record, valid until space() is called; nothing when there is none.
  [[nodiscard]] std::optional<Bytes> next(Tail tail) noexcept;

  // Every byte that belonged to no record, those of damaged records included.
  [[nodiscard]] std::uint64_t garbage_bytes() const noexcept { return garbage_bytes_; }
  // Damaged records: places where a record began and did not hold what it promised.
  [[nodiscard]] std::uint64_t damaged_records() const noexcept { return damaged_records_; }

 private:
  void skip() noexcept;

  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(capacity);
  std::size_t begin_ = 0;  // of the bytes not yet looked at
  std::size_t end_ = 0;
  std::uint64_t garbage_bytes_ = 0;
  std::uint64_t damaged_records_ = 0;
};

}  // namespace iptrackd::pam

#endif
