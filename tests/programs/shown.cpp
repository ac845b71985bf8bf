// The escaping of the contract, written a second time on purpose: an oracle that used the daemon's own could
// not notice a mistake in it.
#include <array>
#include <cctype>
#include <cstdio>

#include "facts.h"

namespace iptrackd::oracle {
namespace {

bool continues(unsigned char byte) {
  return (byte & 0xc0U) == 0x80;
}

// Length of the valid UTF-8 sequence at the start of TEXT, 0 if there is none (RFC 3629, table 3-7 of
// Unicode).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first == 0 ? 0 : 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t index = 1; index < length; ++index) {
    if (!continues(byte(index))) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = first == 0xed && byte(1) > 0x9f;
  const bool too_high = first == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || too_high ? 0 : length;
}

bool looks_escaped(std::string_view text) {
  return text.size() >= 4 && text[0] == '\\' && text[1] == 'x' &&
         std::isxdigit(static_cast<unsigned char>(text[2])) &&
         std::isxdigit(static_cast<unsigned char>(text[3]));
}

}  // namespace

std::string shown(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    std::size_t length = sequence_length(bytes);
    if (length == 0 || looks_escaped(bytes)) {
      std::array<char, 5> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\x%02x",
                    static_cast<unsigned>(static_cast<unsigned char>(bytes[0])));
      text += escaped.data();
      length = 1;
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(length);
  }
  return text;
}

}  // namespace iptrackd::oracle
