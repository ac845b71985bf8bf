#include "sink/copy_encoder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sink/copy_fields.h"
#include "sink/samples.h"

using namespace iptrackd;
using namespace std::string_literals;
using sink::CopyEncoder;
using sink::CopyFields;

namespace {

const std::string header = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"s;

template <typename Fill>
std::string row(Fill fill) {
  std::string out;
  {
    CopyFields fields{out};
    fill(fields);
  }
  return out;
}

// Cuts a stream into the fields of its rows; "NULL" for NULL.
std::vector<std::vector<std::string>> parse(std::string_view stream) {
  const auto number = [&stream](std::size_t size) {
    std::int64_t value = static_cast<std::int8_t>(stream[0]) < 0 ? -1 : 0;
    for (std::size_t i = 0; i < size; ++i) value = value * 256 + static_cast<std::uint8_t>(stream[i]);
    stream.remove_prefix(size);
    return value;
  };
  REQUIRE(stream.substr(0, header.size()) == header);
  stream.remove_prefix(header.size());
  std::vector<std::vector<std::string>> rows;
  while (true) {
    const std::int64_t count = number(2);
    if (count == -1) break;
    rows.emplace_back();
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t length = number(4);
      rows.back().push_back(length == -1 ? "NULL" : std::string{stream.substr(0, length)});
      if (length > 0) stream.remove_prefix(length);
    }
  }
  REQUIRE(stream.empty());
  return rows;
}

std::size_t columns(std::string_view list) {
  return static_cast<std::size_t>(std::count(list.begin(), list.end(), ',')) + 1;
}

}  // namespace

TEST_CASE("an empty stream is header and trailer") {
  CopyEncoder encoder;
  encoder.finish();
  CHECK(encoder.bytes() == header + "\377\377");
}

TEST_CASE("each type, byte for byte") {
  CHECK(row([](CopyFields &) {}) == "\0\0"s);
  CHECK(row([](CopyFields &f) { f.null(); }) == "\0\1\377\377\377\377"s);
  CHECK(row([](CopyFields &f) { f.boolean(true); }) == "\0\1\0\0\0\1\1"s);
  CHECK(row([](CopyFields &f) { f.boolean(false); }) == "\0\1\0\0\0\1\0"s);
  CHECK(row([](CopyFields &f) { f.int4(-111); }) == "\0\1\0\0\0\4\377\377\377\221"s);
  CHECK(row([](CopyFields &f) { f.int8(0x0102030405060708U); }) == "\0\1\0\0\0\10\1\2\3\4\5\6\7\10"s);
  CHECK(row([](CopyFields &f) { f.int8(~0ULL); }) == "\0\1\0\0\0\10\377\377\377\377\377\377\377\377"s);
  CHECK(row([](CopyFields &f) { f.timestamptz(946'684'800'000'001); }) == "\0\1\0\0\0\10\0\0\0\0\0\0\0\1"s);
  CHECK(row([](CopyFields &f) { f.timestamptz(946'684'799'999'999); }) ==
        "\0\1\0\0\0\10\377\377\377\377\377\377\377\377"s);
  CHECK(row([](CopyFields &f) { f.interval(258'999); }) == "\0\1\0\0\0\20\0\0\0\0\0\0\1\2\0\0\0\0\0\0\0\0"s);
  CHECK(row([](CopyFields &f) { f.inet(Address::parse("192.0.2.1")); }) ==
        "\0\1\0\0\0\10\2\40\0\4\300\0\2\1"s);
  CHECK(row([](CopyFields &f) { f.inet(Address::parse("2001:db8::1")); }) ==
        "\0\1\0\0\0\24\3\200\0\20\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1"s);
  CHECK(row([](CopyFields &f) { f.uuid("00010203-0405-0607-0809-0a0b0C0D0eff"); }) ==
        "\0\1\0\0\0\20\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\377"s);
  for (const char *wrong :
       {"", "00010203-0405-0607-0809-0a0b0c0d0e", "g0010203-0405-0607-0809-0a0b0c0d0eff"}) {
    CHECK(row([&](CopyFields &f) { f.uuid(wrong); }) == "\0\1\377\377\377\377"s);
  }
  CHECK(row([](CopyFields &f) { f.text(std::string_view{"a\377"}); }) == "\0\1\0\0\0\5a\\xff"s);
  CHECK(row([](CopyFields &f) { f.text(std::string_view{}); }) == "\0\1\0\0\0\0"s);
}

TEST_CASE("arrays, byte for byte") {
  ArgList args;
  CHECK(row([&](CopyFields &f) { f.text_array(args); }) == "\0\1\377\377\377\377"s);
  args.assign("");
  CHECK(row([&](CopyFields &f) { f.text_array(args); }) == "\0\1\0\0\0\14\0\0\0\0\0\0\0\0\0\0\0\31"s);
  args.assign(std::string_view{"a\0\0\377\0", 5});
  CHECK(row([&](CopyFields &f) { f.text_array(args); }) ==
        "\0\1\0\0\0\45\0\0\0\1\0\0\0\0\0\0\0\31\0\0\0\3\0\0\0\1\0\0\0\1a\0\0\0\0\0\0\0\4\\xff"s);
  CHECK(row([](CopyFields &f) { f.marks(0); }) == "\0\1\377\377\377\377"s);
  CHECK(row([](CopyFields &f) { f.marks(static_cast<std::uint32_t>(Mark::memfd)); }) ==
        "\0\1\0\0\0\35\0\0\0\1\0\0\0\0\0\0\0\31\0\0\0\1\0\0\0\1\0\0\0\5memfd"s);
  // A bit without a name, from a newer kernel side, is no mark.
  CHECK(row([](CopyFields &f) { f.marks(1U << 31); }) == "\0\1\377\377\377\377"s);
}

TEST_CASE("a row has as many fields as there are columns") {
  CopyEncoder encoder;
  encoder.append_event(test::full_event(), 7);
  encoder.append_event(test::bare_event(8), 7);
  encoder.finish();
  const auto rows = parse(encoder.bytes());
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].size() == columns(sink::event_columns()));
  CHECK(rows[1].size() == columns(sink::event_columns()));
  CHECK(std::count(rows[0].begin(), rows[0].end(), "NULL") == 0);
  CHECK(std::count(rows[1].begin(), rows[1].end(), "NULL") ==
        static_cast<std::ptrdiff_t>(rows[1].size()) - 4);
}

TEST_CASE("a loss has as many fields as there are columns") {
  CopyEncoder encoder;
  encoder.append_loss({1, 2, "pool", "full", {}, {}, {}}, test::sample_origin, test::sample_spool);
  encoder.finish();
  const auto rows = parse(encoder.bytes());
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].size() == columns(sink::loss_columns()));
  CHECK(std::count(rows[0].begin(), rows[0].end(), "NULL") == 3);
}

TEST_CASE("an event of the host has as many fields as there are columns") {
  CopyEncoder encoder;
  encoder.append_host_event({1, "start", ""}, test::sample_origin, test::sample_spool);
  encoder.append_host_event({1, "start", "detail"}, {"host", "no UUID"}, "");
  encoder.finish();
  const auto rows = parse(encoder.bytes());
  REQUIRE(rows.size() == 2);
  for (const auto &row : rows) CHECK(row.size() == columns(sink::host_event_columns()));
  CHECK(std::count(rows[0].begin(), rows[0].end(), "NULL") == 1);
  CHECK(std::count(rows[1].begin(), rows[1].end(), "NULL") == 2);
}
