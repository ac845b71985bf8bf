#include <doctest/doctest.h>

#include <filesystem>
#include <thread>

#include "spool/support.h"

using namespace iptrackd;
using namespace std::chrono_literals;
using test::append;
using test::make_events;
using test::open_spool;
using test::options_for;
using test::read_from;
using test::read_from_first;

namespace {

std::uint64_t bytes_on_disk(const test::TemporaryDirectory &directory) {
  std::uint64_t bytes = 0;
  for (const auto &segment : test::segments(directory.spool())) bytes += std::filesystem::file_size(segment);
  return bytes;
}

// Appends one by one until the spool refuses some; returns how many it took.
std::uint64_t fill(spool::Spool &spool, std::uint64_t first_seq, Kind kind) {
  const auto dropped = spool.usage().dropped;
  std::uint64_t seq = first_seq;
  while (spool.usage().dropped == dropped && seq < first_seq + 5000)
    append(spool, make_events(seq++, 1, kind, 2000));
  return seq - first_seq - 1;
}

}  // namespace

TEST_CASE("bound: the spool never grows beyond its size, and each class of events has its share") {
  const test::TemporaryDirectory directory;
  const auto options = options_for(directory);
  auto spool = open_spool(options);
  const auto connects = fill(*spool, 1, Kind::connect);
  CHECK(bytes_on_disk(directory) <= options.max_size / 8 * 7);
  CHECK(bytes_on_disk(directory) > options.max_size / 8 * 7 - 5000);
  const auto execs = fill(*spool, 10'001, Kind::exec);
  CHECK(execs > 20);
  CHECK(bytes_on_disk(directory) <= options.max_size - (64U << 10));
  append(*spool, make_events(20'001, 7, Kind::auth, 2000));
  append(*spool, make_events(30'001, 3, Kind::close, 2000));
  spool->append({});
  CHECK(bytes_on_disk(directory) <= options.max_size);
  CHECK(bytes_on_disk(directory) == spool->usage().bytes);
  CHECK(spool->usage().dropped == 12);
  CHECK_FALSE(spool->usage().last_error.empty());

  const auto contents = read_from_first(*spool);
  CHECK(contents.seqs.size() == connects + execs);
  CHECK(contents.lost() == 12);
  for (const Loss &loss : contents.losses) CHECK(loss.cause == "spool-full");
  for (const Loss &loss : contents.losses) {
    if (loss.kind == Kind::auth) CHECK(loss.count == 7U);
    if (loss.kind == Kind::auth) CHECK(loss.from_unix_us == test::sample_unix_us + 20'001);
    if (loss.kind == Kind::auth) CHECK(loss.to_unix_us == test::sample_unix_us + 20'007);
  }

  // Room comes back by itself, before `retain` is over.
  spool->acknowledge(contents.end);
  CHECK(fill(*spool, 40'001, Kind::connect) > 300);
  CHECK(bytes_on_disk(directory) <= options.max_size);
}

TEST_CASE("bound: losses are kept while there is not even room for them") {
  const test::TemporaryDirectory directory;
  auto spool = open_spool(options_for(directory));
  fill(*spool, 1, Kind::exec);
  const std::string detail(8000, 'd');
  for (int at = 0; at < 20; ++at) spool->note({at, "reload", detail});
  spool->append({});
  spool->append({});
  CHECK(bytes_on_disk(directory) <= options_for(directory).max_size);
  auto contents = read_from_first(*spool);
  const std::size_t fitted = contents.host_events.size();
  CHECK(fitted < 20);
  CHECK(contents.lost() == 1);
  spool->acknowledge(contents.end);
  spool->append({});
  contents = read_from(*spool, contents.end);
  CHECK(fitted + contents.host_events.size() == 20);
  CHECK(contents.host_events.front().unix_us == static_cast<std::int64_t>(fitted));
}

TEST_CASE("bound: acknowledged segments stay for a time, and the newest always") {
  const test::TemporaryDirectory directory;
  auto options = options_for(directory);
  options.retain = 300ms;
  auto spool = open_spool(options);
  append(*spool, make_events(1, 40, Kind::exec, 10'000));
  const auto end = read_from_first(*spool).end;
  const auto before = test::segments(directory.spool()).size();
  REQUIRE(before >= 3);
  spool->acknowledge(end);
  CHECK(test::segments(directory.spool()).size() == before);
  // Another place lost it again: it is read once more, and the time begins anew.
  spool->acknowledge({0, 0});
  CHECK(read_from(*spool, {0, 0}).seqs.size() == 40);
  std::this_thread::sleep_for(310ms);
  spool->append({});
  CHECK(test::segments(directory.spool()).size() == before);
  spool->acknowledge(end);
  spool->append({});
  CHECK(test::segments(directory.spool()).size() == before);
  std::this_thread::sleep_for(310ms);
  spool->append({});
  CHECK(test::segments(directory.spool()).size() == 1);
}

TEST_CASE("bound: the time of acknowledged segments goes on across a restart") {
  const test::TemporaryDirectory directory;
  auto options = options_for(directory);
  {
    auto spool = open_spool(options);
    append(*spool, make_events(1, 40, Kind::exec, 10'000));
    spool->acknowledge(read_from_first(*spool).end);
  }
  CHECK(open_spool(options)->first().index == 0);
  const auto old = std::filesystem::file_time_type::clock::now() - 20min;
  std::filesystem::last_write_time(directory.spool() / "acknowledged", old);
  auto spool = open_spool(options);
  spool->append({});
  CHECK(spool->first().index > 0);
}

TEST_CASE("bound: a record longer than a segment, and one longer than a record may be") {
  const test::TemporaryDirectory directory;
  auto options = options_for(directory);
  options.max_size = 4U << 20;
  auto spool = open_spool(options);
  auto events = make_events(1, 1, Kind::exec, 900'000);
  events.push_back(test::make_event(2, Kind::exec, 1U << 20));
  events.push_back(test::make_event(3));
  append(*spool, events);
  spool->append({});
  const auto contents = read_from_first(*spool);
  CHECK(contents.seqs == std::vector<std::uint64_t>{1, 3});
  CHECK(contents.intact);
  CHECK(contents.lost() == 1);
}
