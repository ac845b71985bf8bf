#include "sink/escape.h"

#include <cstddef>
#include <cstdint>

namespace iptrackd::sink {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// TEXT begins with a backslash: would a reader take it for one of our escapes?
bool looks_like_escape(std::string_view text) {
  return text.size() >= 4 && text[1] == 'x' && is_hex_digit(text[2]) && is_hex_digit(text[3]);
}

// How many bytes the valid character of two or more bytes at the start of TEXT has; 0: there is none. The
// second byte has a narrower range after some first bytes, which is what rules out overlong forms, surrogates
// and values above U+10FFFF (Unicode standard, table 3-7).
std::size_t multibyte_length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  std::size_t length = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  }
  if (length == 0 || text.size() < length || byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  return length;
}

void append_byte(std::string &out, char byte) {
  const auto value = static_cast<std::uint8_t>(byte);
  out += "\\x";
  out += hex_digits[value >> 4];
  out += hex_digits[value & 0xf];
}

// The length of the start of TEXT that needs no change.
std::size_t plain_length(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = static_cast<std::uint8_t>(text[at]);
    if (byte == '\\') {
      if (looks_like_escape(text.substr(at))) break;
      ++at;
    } else if (byte != 0 && byte < 0x80) {
      ++at;
    } else {
      const std::size_t length = byte == 0 ? 0 : multibyte_length(text.substr(at));
      if (length == 0) break;
      at += length;
    }
  }
  return at;
}

}  // namespace

void append_escaped(std::string &out, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t plain = plain_length(bytes);
    out += bytes.substr(0, plain);
    bytes.remove_prefix(plain);
    if (bytes.empty()) return;
    append_byte(out, bytes.front());
    bytes.remove_prefix(1);
  }
}

std::string escaped(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  append_escaped(out, bytes);
  return out;
}

}  // namespace iptrackd::sink
