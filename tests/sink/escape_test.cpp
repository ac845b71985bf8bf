#include "sink/escape.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

using iptrackd::sink::escaped;
using namespace std::string_literals;

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The reader that the notation promises: every \xHH is its byte.
std::string unescaped(const std::string &text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] == 'x' && hex_value(text[i + 2]) >= 0 &&
        hex_value(text[i + 3]) >= 0) {
      out += static_cast<char>(hex_value(text[i + 2]) * 16 + hex_value(text[i + 3]));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// A second opinion on UTF-8: decodes and encodes again, instead of the tables of the code under test.
bool is_valid_utf8(const std::string &text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<std::uint8_t>(text[i]);
    const std::size_t length = first < 0x80       ? 1
                               : first >> 5 == 6  ? 2
                               : first >> 4 == 14 ? 3
                               : first >> 3 == 30 ? 4
                                                  : 0;
    if (length == 0 || i + length > text.size()) return false;
    std::uint32_t code = length == 1 ? first : first & (0xffU >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<std::uint8_t>(text[i + k]);
      if (next >> 6 != 2) return false;
      code = code << 6 | (next & 0x3fU);
    }
    const std::size_t shortest = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (shortest != length || code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
      return false;
    i += length;
  }
  return true;
}

void check_round_trip(const std::string &bytes) {
  const std::string text = escaped(bytes);
  if (!is_valid_utf8(text)) FAIL("not valid UTF-8: " << text);
  if (unescaped(text) != bytes) FAIL("not reversible: " << text);
  const bool needs_nothing = is_valid_utf8(bytes) && unescaped(bytes) == bytes;
  if (needs_nothing && text != bytes) FAIL("changed without need: " << text);
}

}  // namespace

TEST_CASE("text that is valid UTF-8 stays as it is") {
  for (const auto &text : {""s, "plain"s, "tab\tnewline\n\x01\x7f"s, "Grüße, 日本, 🦀"s,
                           "\xf4\x8f\xbf\xbf"s, "\xed\x9f\xbf"s, "\xee\x80\x80"s, "\xef\xbf\xbf"s}) {
    CHECK(escaped(text) == text);
  }
}

TEST_CASE("bytes that are no UTF-8, and NUL, become \\xHH") {
  CHECK(escaped("\xff"s) == "\\xff");
  CHECK(escaped("a\0b"s) == "a\\x00b");
  CHECK(escaped("\xc3"s) == "\\xc3");                             // cut short
  CHECK(escaped("\xc3(") == "\\xc3(");                            // no continuation
  CHECK(escaped("\xc0\xaf"s) == "\\xc0\\xaf");                    // overlong
  CHECK(escaped("\xe0\x80\xaf"s) == "\\xe0\\x80\\xaf");           // overlong
  CHECK(escaped("\xed\xa0\x80"s) == "\\xed\\xa0\\x80");           // surrogate
  CHECK(escaped("\xf4\x90\x80\x80"s) == "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
  CHECK(escaped("\xf0\x9f\xa6"s) == "\\xf0\\x9f\\xa6");
}

TEST_CASE("a backslash changes only where it would be taken for an escape") {
  CHECK(escaped("C:\\dir\\new") == "C:\\dir\\new");
  CHECK(escaped("\\") == "\\");
  CHECK(escaped("\\x") == "\\x");
  CHECK(escaped("\\x4") == "\\x4");
  CHECK(escaped("\\xzz") == "\\xzz");
  CHECK(escaped("\\xff") == "\\x5cxff");
  CHECK(escaped("\\xFF") == "\\x5cxFF");
  CHECK(escaped("\\\\x41") == "\\\\x5cx41");
  CHECK(escaped("\\\xff"s) == "\\\\xff");
  CHECK(escaped("\\x\xff"s) == "\\x\\xff");
}

TEST_CASE("every short string of the bytes that matter is reversible") {
  const std::vector<char> alphabet{'\0', '\\',   'x',    '5',    'c',    'F',
                                   'g',  '\x80', '\xc3', '\xed', '\xf0', '\xff'};
  std::vector<std::string> strings{""};
  for (std::size_t begin = 0, length = 0; length < 5; ++length) {
    const std::size_t end = strings.size();
    for (; begin < end; ++begin) {
      for (const char c : alphabet) strings.push_back(strings[begin] + c);
    }
  }
  for (const std::string &bytes : strings) check_round_trip(bytes);
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      check_round_trip({static_cast<char>(first), static_cast<char>(second)});
      check_round_trip({static_cast<char>(first), static_cast<char>(second), '\x80'});
    }
  }
}

TEST_CASE("random bytes are reversible") {
  std::mt19937 random{20240229};
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char &c : bytes) c = static_cast<char>(random() % 4 == 0 ? "\\x5c"[random() % 4] : random() % 256);
    check_round_trip(bytes);
  }
}
