// Records as the spool writes them, then damaged: what must be found in them again is known.
//
//   input   n u8, n % 8 times { offset u16, bits u8 }: which bytes are spoilt, and which of their bits
//           then records up to the end: type u8 (modulo 3: event, loss, host event), length u8, payload
#ifndef IPTRACKD_TESTS_FUZZ_MADE_SEGMENT_H
#define IPTRACKD_TESTS_FUZZ_MADE_SEGMENT_H

#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/demand.h"
#include "spool/segment.h"

namespace iptrackd::fuzz {

class MadeSegment {
 public:
  static constexpr std::uint64_t first_index = 100;

  struct Written {
    std::uint64_t index = 0;
    std::uint64_t token = 0;
    std::size_t begin = 0;
    std::size_t size = 0;
  };

  explicit MadeSegment(std::string_view input)
      // Nobody who writes payloads knows the salt: one that depends on them all cannot be known.
      : salt_{XXH3_64bits(input.data(), input.size())} {
    const std::string_view spoils = take(input, 3 * (static_cast<std::size_t>(take_byte(input)) % 8));
    while (!input.empty()) write(input);
    damaged_ = original_;
    for (std::size_t at = 0; at + 3 <= spoils.size(); at += 3) spoil(spoils.substr(at, 3));
  }

  [[nodiscard]] std::string_view bytes() const { return damaged_; }
  [[nodiscard]] std::uint64_t salt() const { return salt_; }
  [[nodiscard]] const std::vector<Written> &records() const { return records_; }
  [[nodiscard]] std::uint64_t next_index() const { return first_index + records_.size(); }
  [[nodiscard]] bool is_intact(const Written &record) const { return is_same(record.begin, record.size); }
  // Length, type and index of every record are what they were.
  [[nodiscard]] bool heads_intact() const {
    constexpr std::size_t head_size = 16;
    return std::all_of(records_.begin(), records_.end(),
                       [this](const Written &record) { return is_same(record.begin, head_size); });
  }

 private:
  [[nodiscard]] bool is_same(std::size_t begin, std::size_t size) const {
    return original_.compare(begin, size, damaged_, begin, size) == 0;
  }
  static std::string_view take(std::string_view &input, std::size_t size) {
    const auto taken = input.substr(0, size);
    input.remove_prefix(taken.size());
    return taken;
  }
  static std::uint8_t take_byte(std::string_view &input) {
    const auto taken = take(input, 1);
    return taken.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(taken[0]);
  }

  void write(std::string_view &input) {
    Written record{next_index(), 0, original_.size(), 0};
    const auto type = static_cast<spool::RecordType>(1 + take_byte(input) % 3);
    spool::RecordWriter writer{original_, type, record.index};
    original_.append(take(input, take_byte(input)));
    record.token = writer.finish(salt_);
    demand(record.token != 0, "a short payload is taken");
    record.size = original_.size() - record.begin;
    records_.push_back(record);
  }

  void spoil(std::string_view how) {
    const std::size_t at = static_cast<std::uint8_t>(how[0]) | static_cast<std::uint8_t>(how[1]) << 8;
    if (at < damaged_.size()) damaged_[at] = static_cast<char>(damaged_[at] ^ how[2]);
  }

  const std::uint64_t salt_;
  std::vector<Written> records_;
  std::string original_;
  std::string damaged_;
};

}  // namespace iptrackd::fuzz

#endif
