#include "config/values.h"

#include <doctest/doctest.h>

#include <limits>

using namespace iptrackd::config;
using namespace std::chrono_literals;

TEST_CASE("sizes are bytes or powers of 1024") {
  CHECK(parse_size("16777216") == 16777216);
  CHECK(parse_size("16M") == 16777216);
  CHECK(parse_size("16MiB") == 16777216);
  CHECK(parse_size("1K") == 1024);
  CHECK(parse_size("2GiB") == std::int64_t{2} << 30);
  CHECK(parse_size("1TiB") == std::int64_t{1} << 40);
  CHECK(parse_size("7B") == 7);
  CHECK(parse_size("0") == 0);
  for (const auto *wrong :
       {"", "M", "MiB", "16MB", "16mib", "16 MiB", "1.5M", "0x10", "16M ", "+1", "1_000", "1e3"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_size(wrong));
  }
}

TEST_CASE("numbers beyond the type saturate, so that a range check refuses them") {
  constexpr auto max = std::numeric_limits<std::int64_t>::max();
  constexpr auto min = std::numeric_limits<std::int64_t>::min();
  CHECK(parse_integer("99999999999999999999999") == max);
  CHECK(parse_integer("-99999999999999999999999") == min);
  CHECK(parse_size("99999999999TiB") == max);
  CHECK(parse_size("-99999999999TiB") == min);
  CHECK(parse_duration("9223372036854775807d")->count() == max);
}

TEST_CASE("integers are decimal and nothing else") {
  CHECK(parse_integer("42") == 42);
  CHECK(parse_integer("-1") == -1);
  for (const auto *wrong : {"", "-", "4 2", "42x", " 42", "0x1f", "true", "1.0"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_integer(wrong));
  }
}

TEST_CASE("durations need a unit") {
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("30s") == 30s);
  CHECK(parse_duration("15min") == 15min);
  CHECK(parse_duration("1h") == 1h);
  CHECK(parse_duration("7d") == 7 * 24h);
  CHECK(parse_duration("-5min") == -5min);
  for (const auto *wrong : {"", "5", "5m", "min", "1h30min", "5 s", "5S"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_duration(wrong));
  }
}

TEST_CASE("masks are decimal or hexadecimal, 16 bits") {
  CHECK(parse_mask("0xffff") == 0xffff);
  CHECK(parse_mask("0XFFFF") == 0xffff);
  CHECK(parse_mask("0") == 0);
  CHECK(parse_mask("63") == 63);
  for (const auto *wrong : {"", "0x", "0x10000", "65536", "-1", "0x-1", "all", "0xfg"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_mask(wrong));
  }
}

TEST_CASE("formatting uses the largest unit that divides") {
  CHECK(format_size(16777216) == "16MiB");
  CHECK(format_size(1024) == "1KiB");
  CHECK(format_size(1025) == "1025");
  CHECK(format_size(0) == "0");
  CHECK(format_duration(15min) == "15min");
  CHECK(format_duration(1500ms) == "1500ms");
  CHECK(format_duration(365 * 24h) == "365d");
}

TEST_CASE("what is quoted stays on one line of a terminal") {
  CHECK(in_quotes("a b") == "'a b'");
  CHECK(in_quotes("a\nb\x1b[31m\xff") == "'a\\x0ab\\x1b[31m\\xff'");
  CHECK(in_quotes(std::string(100, 'x')) == "'" + std::string(60, 'x') + "...'");
}

TEST_CASE("the nearest name is found where one is close") {
  const std::vector<std::string_view> names{"fifo-file", "exec", "max"};
  CHECK(nearest("fifo_file", names) == "fifo-file");
  CHECK(nearest("fifofile", names) == "fifo-file");
  CHECK(nearest("exce", names).empty());  // two edits of four letters
  CHECK(nearest("exe", names) == "exec");
  CHECK(nearest("mix", names) == "max");
  CHECK(nearest("something", names).empty());
  CHECK(nearest(std::string(10000, 'x'), names).empty());
  CHECK(nearest("x", {}).empty());
}
