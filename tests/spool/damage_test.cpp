#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <set>

#include "spool/segment.h"
#include "spool/support.h"

using namespace iptrackd;
using test::append;
using test::make_events;
using test::open_spool;
using test::options_for;
using test::read_from_first;

namespace {

struct Bounds {
  std::size_t begin, end;
};

// Where the records of a segment stand.
std::vector<Bounds> records_of(const std::string &bytes) {
  const auto header = spool::parse_header(bytes);
  REQUIRE(header);
  std::vector<Bounds> found;
  spool::Scanner scanner{bytes, header->size, header->header.first_index, UINT64_MAX, header->header.salt};
  for (spool::Record record; scanner.next(record);) found.push_back({scanner.begin(), scanner.end()});
  return found;
}

std::uint64_t damaged(const spool::Recovery &recovery) {
  return std::accumulate(
      recovery.damages.begin(), recovery.damages.end(), std::uint64_t{0},
      [](std::uint64_t sum, const spool::Damage &damage) { return sum + damage.count.value_or(0); });
}

// A spool whose first segment holds ten events, and whose second one two.
struct TwoSegments {
  TwoSegments() : options{options_for(directory)} {
    append(*open_spool(options), make_events(1, 10));
    {
      auto spool = open_spool(options);
      append(*spool, make_events(11, 2));
      spool->close();
    }
    const auto files = test::segments(directory.spool());
    REQUIRE(files.size() == 2);
    first = files[0];
    bytes = test::read_file(first);
    for (const auto &entry : std::filesystem::directory_iterator{directory.spool()})
      others.emplace_back(entry.path(), test::read_file(entry.path()));
  }
  // As it was, but the first segment is CHANGED.
  void restore(const std::string &changed) const {
    for (const auto &segment : test::segments(directory.spool())) std::filesystem::remove(segment);
    for (const auto &[path, content] : others) test::write_file(path, content);
    test::write_file(first, changed);
  }

  test::TemporaryDirectory directory;
  spool::Options options;
  std::filesystem::path first;
  std::string bytes;
  std::vector<std::pair<std::filesystem::path, std::string>> others;
};

}  // namespace

TEST_CASE("damage: any bit of a segment flipped costs its record and no other, and is counted exactly") {
  const TwoSegments made;
  const auto records = records_of(made.bytes);
  REQUIRE(records.size() == 10);
  test::FaultyIo io;
  std::uint64_t wrong = 0;
  for (std::size_t bit = 0; bit < made.bytes.size() * 8; ++bit) {
    std::string changed = made.bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    made.restore(changed);
    std::vector<std::uint64_t> expected;
    for (std::uint64_t seq = 1; seq <= 12; ++seq) {
      const bool hit = seq <= 10 && bit / 8 >= records[seq - 1].begin && bit / 8 < records[seq - 1].end;
      if (!hit) expected.push_back(seq);
    }
    auto spool = open_spool(made.options, io);
    const auto contents = read_from_first(*spool);
    const bool good = contents.seqs == expected && contents.intact &&
                      damaged(spool->recovery()) == 12 - expected.size() &&
                      contents.lost() == 12 - expected.size() && spool->recovery().damages.size() == 1 &&
                      contents.origins.front() == made.options.origin;
    if (!good) ++wrong;
    if (!good) INFO("bit " << bit);
    CHECK(good);
    if (wrong > 5) return;
  }
}

TEST_CASE("damage: a header's loss is told once, with whose origin the records are given") {
  const TwoSegments made;
  std::string changed = made.bytes;
  changed[0] = 'X';
  made.restore(changed);
  {
    const auto spool = open_spool(made.options);
    REQUIRE(spool->recovery().damages.size() == 1);
    CHECK(spool->recovery().damages[0].count == 0U);
    CHECK(spool->recovery().damages[0].what.find("00000000000000000010.seg") != std::string::npos);
  }
  const auto spool = open_spool(made.options);
  CHECK(spool->recovery().damages.empty());
  CHECK(read_from_first(*spool).seqs.size() == 12);
}

TEST_CASE("damage: the newest segment cut off at every byte of its last records") {
  const test::TemporaryDirectory directory;
  const auto options = options_for(directory);
  test::FaultyIo io;
  append(*open_spool(options, io), make_events(1, 6));
  const auto file = test::segments(directory.spool()).back();
  const std::string bytes = test::read_file(file);
  const auto records = records_of(bytes);
  REQUIRE(records.size() == 6);
  for (std::size_t size = records[2].end; size <= bytes.size(); ++size) {
    for (const auto &segment : test::segments(directory.spool())) std::filesystem::remove(segment);
    test::write_file(file, bytes.substr(0, size));
    const auto whole = static_cast<std::size_t>(std::count_if(
        records.begin(), records.end(), [&](const Bounds &record) { return record.end <= size; }));
    const bool torn = size > records[whole - 1].end;
    for (int start = 0; start < 3; ++start) {
      INFO("size " << size << " start " << start);
      auto spool = open_spool(options, io);
      append(*spool, make_events(100 + static_cast<std::uint64_t>(start), 1));
      const auto &damages = spool->recovery().damages;
      // Told at the first start, and at none after it.
      REQUIRE(damages.size() == (torn && start == 0 ? 1 : 0));
      if (torn && start == 0) {
        CHECK_FALSE(damages[0].count);
        CHECK(damages[0].what == "torn by a crash");
        CHECK(damages[0].first_index == whole);
      }
      const auto contents = read_from_first(*spool);
      CHECK(contents.intact);
      CHECK(contents.seqs.size() == whole + static_cast<std::size_t>(start) + 1);
      CHECK(contents.losses.size() == (torn ? 1 : 0));
    }
  }
}

TEST_CASE("damage: is booked once however often the spool is opened, and whoever is killed in between") {
  const TwoSegments made;
  std::string changed = made.bytes;
  const auto records = records_of(made.bytes);
  changed[records[3].begin + 20] ^= 1;
  changed[records[4].begin + 20] ^= 1;
  changed[records[8].begin] ^= 1;
  // The Nth write of the start fails for good, as if the daemon had been killed before it.
  bool failed = true;
  for (std::uint64_t call = 1; failed; ++call) {
    made.restore(changed);
    test::FaultyIo io;
    io.plan(call, UINT64_MAX / 2, EIO, true);
    static_cast<void>(spool::Spool::open(made.options, io).has_value());
    failed = io.calls() >= call;
    INFO("call " << call);
    {
      auto spool = open_spool(made.options);
      const auto contents = read_from_first(*spool);
      CHECK(contents.seqs == std::vector<std::uint64_t>{1, 2, 3, 6, 7, 8, 10, 11, 12});
      CHECK(contents.lost() == 3);
      CHECK(contents.losses.size() == 2);
    }
    auto spool = open_spool(made.options);
    CHECK(spool->recovery().damages.empty());
    CHECK(read_from_first(*spool).lost() == 3);
  }
}

TEST_CASE("damage: that comes while the spool is open is stepped over and booked, once") {
  const test::TemporaryDirectory directory;
  const auto options = options_for(directory);
  auto spool = open_spool(options);
  append(*spool, make_events(1, 10));
  const auto file = test::segments(directory.spool()).back();
  std::string changed = test::read_file(file);
  changed[records_of(changed)[9].begin + 20] ^= 1;
  changed[records_of(changed)[4].begin + 20] ^= 1;
  test::write_file(file, changed);
  auto contents = read_from_first(*spool);
  CHECK(contents.seqs == std::vector<std::uint64_t>{1, 2, 3, 4, 6, 7, 8, 9});
  CHECK(contents.end.index == 10);
  CHECK(spool->lineage(contents.end) == BatchSource::Lineage::held);
  contents = read_from_first(*spool);
  spool->append({});
  CHECK(read_from_first(*spool).lost() == 2);
  spool.reset();
  spool = open_spool(options);
  CHECK(spool->recovery().damages.empty());
  CHECK(read_from_first(*spool).lost() == 2);
}

TEST_CASE("damage: of records that were acknowledged is no loss, until they have to be read again") {
  const TwoSegments made;
  std::string changed = made.bytes;
  changed[records_of(made.bytes)[4].begin + 20] ^= 1;
  made.restore(made.bytes);
  Position end;
  {
    auto spool = open_spool(made.options);
    end = read_from_first(*spool).end;
    spool->acknowledge(end);
  }
  test::write_file(made.first, changed);
  auto spool = open_spool(made.options);
  CHECK(spool->recovery().damages.empty());
  CHECK(test::read_from(*spool, end).losses.empty());
  spool->acknowledge({0, 0});
  CHECK(test::read_from(*spool, {0, 0}).seqs.size() == 11);
  spool->append({});
  CHECK(test::read_from(*spool, end).lost() == 1);
}

TEST_CASE("damage: what a user puts into a record is not found as a record") {
  const test::TemporaryDirectory directory;
  const auto options = options_for(directory);
  std::string forged;
  spool::RecordWriter record{forged, spool::RecordType::event, 1};
  REQUIRE(record.finish(0) != 0);
  Event event = test::make_event(1);
  event.args.assign(std::string(64, 'x') + forged + forged);
  for (std::size_t shift = 0; shift < 8; ++shift) {
    event.args.assign(std::string(64 + shift, 'x') + forged + forged);
    append(*open_spool(options), {event, test::make_event(2)});
    const auto file = test::segments(directory.spool()).back();
    std::string changed = test::read_file(file);
    changed[records_of(changed)[0].begin + 20] ^= 1;
    test::write_file(file, changed);
    auto spool = open_spool(options);
    CHECK(read_from_first(*spool).seqs == std::vector<std::uint64_t>{2});
    spool.reset();
    std::filesystem::remove_all(directory.spool());
  }
}
