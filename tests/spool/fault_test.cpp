#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "spool/support.h"

using namespace iptrackd;
using test::append;
using test::make_events;
using test::open_spool;
using test::options_for;
using test::read_from_first;

namespace {

struct Fault {
  int code;
  bool half;
  bool lasting;  // until it is healed, or one call only
};

// A life of a spool: three appends over several segments, reads and acknowledgements in between.
void live(spool::Spool &spool) {
  const BatchLimits limits{100, 1U << 20, std::chrono::milliseconds{0}};
  Batch batch;
  Position at;
  for (std::uint64_t turn = 0; turn < 3; ++turn) {
    spool.book({1, 2, "kernel", "ring-full", Kind::exec, {}, 1U, turn + 1});
    spool.note({static_cast<std::int64_t>(turn), "reload", ""});
    auto events = make_events(turn * 10 + 1, 9, Kind::connect, 15'000);
    events.push_back(test::make_event(turn * 10 + 10, Kind::auth));
    append(spool, events);
    const auto read = spool.read(at, limits, batch, {});
    if (!read || *read != BatchSource::Read::some) continue;
    REQUIRE(batch.from() == at);
    at = batch.to();
    spool.acknowledge(at);
  }
}

std::uint64_t count(const test::Contents &contents, std::string_view stage) {
  std::uint64_t sum = 0;
  for (const Loss &loss : contents.losses) sum += loss.stage == stage ? loss.count.value_or(0) : 0;
  return sum;
}

void check(const test::Contents &contents, std::uint64_t appended) {
  const std::set<std::uint64_t> different{contents.seqs.begin(), contents.seqs.end()};
  CHECK(different.size() == contents.seqs.size());
  CHECK(std::is_sorted(contents.seqs.begin(), contents.seqs.end()));
  CHECK(contents.intact);
  CHECK(contents.seqs.size() + contents.lost() == appended);
  CHECK(count(contents, "kernel") == 3);
  CHECK(contents.host_events.size() == 3);
}

// Returns false when there is no call CALL any more.
bool survives(const Fault &fault, std::uint64_t call) {
  const test::TemporaryDirectory directory;
  const auto options = options_for(directory);
  test::FaultyIo io;
  const std::uint64_t many = fault.lasting ? 1'000'000 : 1;
  io.plan(call, many, fault.code, fault.half);
  auto opened = spool::Spool::open(options, io);
  if (!opened) {
    CHECK(opened.error().fault() == iptrackd::Fault::environment);
    io.heal();
    opened = spool::Spool::open(options, io);
    REQUIRE(opened.has_value());
    live(**opened);
  } else {
    live(**opened);
  }
  const bool failed = io.calls() >= call || !opened;
  io.heal();
  auto &spool = **opened;
  append(spool, make_events(31, 1));
  spool.append({});
  check(read_from_first(spool), 31);
  CHECK(read_from_first(spool).seqs.back() == 31);
  spool.close();
  CHECK(read_from_first(spool).ended);
  opened->reset();
  auto again = open_spool(options);
  CHECK(again->recovery().clean_end);
  CHECK(again->recovery().damages.empty());
  check(read_from_first(*again), 31);
  return failed;
}

}  // namespace

TEST_CASE("fault: whichever call fails, what was taken and what was lost add up, and all goes on by itself") {
  for (const int code : {ENOSPC, EDQUOT, EIO}) {
    for (const bool half : {false, true}) {
      for (const bool lasting : {false, true}) {
        std::uint64_t call = 0;
        bool failed = true;
        while (failed) {
          ++call;
          INFO("errno " << code << " half " << half << " lasting " << lasting << " call " << call);
          failed = survives({code, half, lasting}, call);
        }
        CHECK(call > 40);
      }
    }
  }
}

TEST_CASE("fault: a torn record that cannot be cut off is never taken for one") {
  const test::TemporaryDirectory directory;
  const auto options = options_for(directory);
  test::FaultyIo io;
  auto spool = open_spool(options, io);
  append(*spool, make_events(1, 2));
  // Half of ten records, then every call fails: also the one that cuts off.
  io.plan(1, 3, EIO, true);
  append(*spool, make_events(3, 10));
  io.heal();
  CHECK(spool->usage().dropped > 0);
  append(*spool, make_events(13, 2));
  spool->append({});
  const auto contents = read_from_first(*spool);
  CHECK(contents.seqs.size() + contents.lost() == 14);
  CHECK(contents.intact);
  spool.reset();
  spool = open_spool(options);
  CHECK(spool->recovery().damages.empty());
  CHECK(read_from_first(*spool).seqs == contents.seqs);
}

TEST_CASE("fault: causes are told apart, and the last error says what failed") {
  for (const auto &[code, cause] :
       {std::pair{ENOSPC, "spool-full"}, {EDQUOT, "spool-full"}, {EIO, "write-failed"}}) {
    const test::TemporaryDirectory directory;
    test::FaultyIo io;
    auto spool = open_spool(options_for(directory), io);
    io.plan(1, 1000, code, false);
    append(*spool, make_events(1, 3, Kind::bind));
    CHECK(spool->usage().last_error.find("cannot write") != std::string::npos);
    io.heal();
    spool->append({});
    const auto contents = read_from_first(*spool);
    REQUIRE(contents.losses.size() == 1);
    CHECK(contents.losses[0].cause == cause);
    CHECK(contents.losses[0].kind == Kind::bind);
    CHECK_FALSE(contents.losses[0].uid);
    CHECK(contents.losses[0].count == 3U);
    CHECK(contents.losses[0].from_unix_us == test::sample_unix_us + 1);
    CHECK(contents.losses[0].to_unix_us == test::sample_unix_us + 3);
  }
}

TEST_CASE("fault: a disk that does not give up a part of a segment costs that part") {
  const test::TemporaryDirectory directory;
  const auto options = options_for(directory);
  append(*open_spool(options), make_events(1, 3, Kind::exec, 7000));
  class Bad final : public spool::Io {
    ssize_t pread(int fd, void *to, std::size_t size, std::uint64_t offset) override {
      if (offset <= 8192 && offset + size > 8192) {
        if (offset < 8192) return Io::pread(fd, to, 8192 - offset, offset);
        errno = EIO;
        return -1;
      }
      return Io::pread(fd, to, size, offset);
    }
  } io;
  auto spool = open_spool(options, io);
  REQUIRE(spool->recovery().damages.size() == 1);
  CHECK(spool->recovery().damages[0].count == 1U);
  const auto contents = read_from_first(*spool);
  CHECK(contents.seqs == std::vector<std::uint64_t>{1, 3});
  CHECK(contents.lost() == 1);
}

TEST_CASE("fault: a record that the disk refuses for long is stepped over, and not given later") {
  const test::TemporaryDirectory directory;
  auto options = options_for(directory);
  test::FaultyIo io;
  Batch batch;
  for (const bool patient : {true, false}) {
    options.read_patience = patient ? std::chrono::minutes{1} : std::chrono::minutes{0};
    auto spool = open_spool(options, io);
    const Position begin = read_from_first(*spool).end;
    append(*spool, make_events(patient ? 1 : 4, 3));
    io.plan(1, 1000, EIO, false);
    CHECK(spool->read(begin, {}, batch, {}).has_value() == !patient);
    io.heal();
    spool->append({});
    const auto contents = test::read_from(*spool, begin);
    CHECK(contents.seqs.size() == (patient ? 3 : 0));
    CHECK(contents.lost() == (patient ? 0 : 3));
  }
}
