// Fields: the form of a payload. A program skips the fields that it does not know and finds the others.
//
//   field    tag u8 (1 to 255, rising), length u8, bytes
//            where length is 255: tag, 255, length u32, bytes
//   number   little-endian, as wide as its type; a bool is one byte, 0 or 1
//   unknown  no field. A field of length 0 is the empty text.
#ifndef IPTRACKD_SPOOL_FIELDS_H
#define IPTRACKD_SPOOL_FIELDS_H

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace iptrackd::spool {

// The bytes of a number in the other order where this machine is not little-endian.
template <std::integral Number>
[[nodiscard]] constexpr Number little_endian(Number number) noexcept {
  if constexpr (std::endian::native == std::endian::little || sizeof(Number) == 1) {
    return number;
  } else {
    auto rest = static_cast<std::make_unsigned_t<Number>>(number);
    std::make_unsigned_t<Number> swapped = 0;
    for (std::size_t byte = 0; byte < sizeof(Number); ++byte, rest >>= 8)
      swapped = swapped << 8 | (rest & 0xff);
    return static_cast<Number>(swapped);
  }
}

template <std::integral Number>
void append_number(std::string &to, Number number) {
  const Number stored = little_endian(number);
  char bytes[sizeof(Number)];
  std::memcpy(&bytes[0], &stored, sizeof(Number));
  to.append(&bytes[0], sizeof(Number));
}

template <std::integral Number>
void store_number(char *to, Number number) noexcept {
  const Number stored = little_endian(number);
  std::memcpy(to, &stored, sizeof(Number));
}

// FROM must hold sizeof(Number) bytes.
template <std::integral Number>
[[nodiscard]] Number load_number(const char *from) noexcept {
  Number stored;
  std::memcpy(&stored, from, sizeof(Number));
  return little_endian(stored);
}

inline constexpr std::uint8_t long_field = 255;

// BYTES must be shorter than 4 GiB.
inline void append_field(std::string &to, std::uint8_t tag, std::string_view bytes) {
  to.push_back(static_cast<char>(tag));
  if (bytes.size() < long_field) {
    to.push_back(static_cast<char>(bytes.size()));
  } else {
    to.push_back(static_cast<char>(long_field));
    append_number(to, static_cast<std::uint32_t>(bytes.size()));
  }
  to.append(bytes);
}

// Walks the fields of hostile bytes.
class FieldReader {
 public:
  explicit FieldReader(std::string_view payload) noexcept : rest_{payload} {}

  // The next field; false at the end, and where the rest is no field: then ok() is false.
  bool next() noexcept {
    if (rest_.empty() || !ok_) return false;
    ok_ = false;
    if (rest_.size() < 2) return false;
    tag_ = static_cast<std::uint8_t>(rest_[0]);
    std::size_t size = static_cast<std::uint8_t>(rest_[1]);
    std::size_t head = 2;
    if (size == long_field) {
      head = 2 + sizeof(std::uint32_t);
      if (rest_.size() < head) return false;
      size = load_number<std::uint32_t>(rest_.data() + 2);
    }
    if (tag_ == 0 || size > rest_.size() - head) return false;
    bytes_ = rest_.substr(head, size);
    rest_.remove_prefix(head + size);
    return ok_ = true;
  }
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  // What has not been walked over yet.
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
  [[nodiscard]] std::uint8_t tag() const noexcept { return tag_; }
  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }

 private:
  std::string_view rest_;
  std::string_view bytes_;
  std::uint8_t tag_ = 0;
  bool ok_ = true;
};

}  // namespace iptrackd::spool

#endif
