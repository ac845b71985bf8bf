#include "pam/record_stream.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "pam/support.h"

using namespace iptrackd::pam;
using namespace iptrackd::pam::testing;

namespace {

using Tail = RecordStream::Tail;

void feed(RecordStream &stream, Bytes bytes) {
  const auto space = stream.space();
  REQUIRE(space.size() >= bytes.size());
  std::copy(bytes.begin(), bytes.end(), space.begin());
  stream.filled(bytes.size());
}

using Records = std::vector<ByteVector>;

Records all(RecordStream &stream, Tail tail) {
  Records records;
  while (const auto record = stream.next(tail)) records.emplace_back(record->begin(), record->end());
  return records;
}

ByteVector operator+(ByteVector left, const ByteVector &right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

ByteVector text_bytes(std::string_view text) {
  return {text.begin(), text.end()};
}

ByteVector record_of(const std::string &user) {
  RecordBuilder builder;
  builder.fields[IPTRACKD_PAM_FIELD_USER] = user;
  return builder.bytes();
}

}  // namespace

TEST_CASE("the checksum is the usual CRC-32") {
  const auto check = text_bytes("123456789");
  CHECK(iptrackd_pam_crc(check.data(), check.size()) == 0xcbf43926U);
}

TEST_CASE("records that follow each other come out one by one") {
  RecordStream stream;
  feed(stream, record_of("one") + record_of("two") + record_of("three"));
  CHECK(all(stream, Tail::open) == Records{record_of("one"), record_of("two"), record_of("three")});
  CHECK(stream.garbage_bytes() == 0);
  CHECK(stream.damaged_records() == 0);
}

TEST_CASE("a record that comes byte by byte is complete with its last byte") {
  RecordStream stream;
  const auto record = record_of("alice");
  for (std::size_t index = 0; index + 1 < record.size(); ++index) {
    feed(stream, Bytes{record}.subspan(index, 1));
    CHECK_FALSE(stream.next(Tail::open));
  }
  feed(stream, Bytes{record}.last(1));
  CHECK(all(stream, Tail::open) == Records{record});
  CHECK(stream.garbage_bytes() == 0);
}

TEST_CASE("every truncation is garbage once nothing can follow") {
  const auto record = record_of("alice");
  for (std::size_t size = 1; size < record.size(); ++size) {
    CAPTURE(size);
    RecordStream stream;
    feed(stream, Bytes{record}.first(size));
    CHECK_FALSE(stream.next(Tail::open));
    CHECK_FALSE(stream.next(Tail::closed));
    CHECK(stream.garbage_bytes() == size);
    CHECK(stream.damaged_records() == 1);
  }
}

TEST_CASE("a truncated record does not take the next one with it") {
  const auto cut = record_of("alice");
  const auto next = record_of("bob");
  for (std::size_t size = 1; size < cut.size(); ++size) {
    CAPTURE(size);
    RecordStream stream;
    feed(stream, ByteVector{cut.begin(), cut.begin() + static_cast<std::ptrdiff_t>(size)} + next);
    CHECK(all(stream, Tail::closed) == Records{next});
    CHECK(stream.garbage_bytes() == size);
    CHECK(stream.damaged_records() == (size < sizeof(iptrackd_pam_header::magic) ? 0 : 1));
  }
}

TEST_CASE("every flipped bit is noticed, and the next record is found") {
  const auto good = record_of("alice");
  const auto next = record_of("bob");
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    CAPTURE(bit);
    auto damaged = good;
    damaged[bit / 8] = static_cast<std::uint8_t>(damaged[bit / 8] ^ (1U << bit % 8));
    RecordStream stream;
    feed(stream, damaged + next);
    const auto records = all(stream, Tail::closed);
    // The version is not the stream's business; the parser looks at it. Nothing else may slip through.
    const bool version = bit / 8 == 4 || bit / 8 == 5;
    CHECK(records == (version ? Records{damaged, next} : Records{next}));
    CHECK(stream.garbage_bytes() == (version ? 0 : good.size()));
  }
}

TEST_CASE("garbage that imitates a record swallows none") {
  const auto record = record_of("alice");
  auto promise = record_of(std::string(1000, 'x'));
  promise.resize(20);  // promises 1,000 bytes more than it has
  const auto garbage = text_bytes("alice,192.0.2.7,22\n\x89i\x89iP\x89iPR\xff\xff\xff\xff\xff\xff\xff\xff");
  RecordStream stream;
  feed(stream, garbage + record + promise + record + garbage);
  CHECK(all(stream, Tail::closed) == Records{record, record});
  CHECK(stream.garbage_bytes() == 2 * garbage.size() + promise.size());
}

TEST_CASE("random bytes: the books balance, and there is always room again") {
  std::mt19937 random{20'240'101};
  const auto record = record_of("alice");
  RecordStream stream;
  std::uint64_t fed = 0, found = 0, sent = 0;
  for (int round = 0; round < 2000; ++round) {
    ByteVector chunk(random() % 700);
    // Few values, so that magics and half magics are frequent.
    for (auto &byte : chunk) byte = static_cast<std::uint8_t>("\x89iPR\0\1\xff"[random() % 7]);
    if (random() % 2 == 0) {
      chunk = chunk + record;
      ++sent;
    }
    feed(stream, chunk);
    fed += chunk.size();
    found += all(stream, random() % 4 == 0 ? Tail::closed : Tail::open).size();
    REQUIRE(stream.space().size() >= IPTRACKD_PAM_RECORD_MAX);
  }
  found += all(stream, Tail::closed).size();
  CHECK(found == sent);
  CHECK(stream.garbage_bytes() == fed - sent * record.size());
}
