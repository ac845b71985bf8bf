#include "spool/spool.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "spool/support.h"

using namespace iptrackd;
using namespace std::chrono_literals;
using Lineage = BatchSource::Lineage;
using Read = BatchSource::Read;
using test::append;
using test::make_events;
using test::open_spool;
using test::options_for;
using test::read_from;
using test::read_from_first;

namespace {

std::string refusal(const spool::Options &options) {
  const auto opened = spool::Spool::open(options);
  if (opened) return "opened";
  return opened.error().message();
}

std::vector<std::uint64_t> numbers(std::uint64_t first, std::size_t count) {
  std::vector<std::uint64_t> all;
  for (std::size_t at = 0; at < count; ++at) all.push_back(first + at);
  return all;
}

}  // namespace

TEST_CASE("spool: what is appended is read at once, in order, and again after a restart") {
  const test::TemporaryDirectory directory;
  const auto options = options_for(directory);
  std::string id;
  Position end;
  {
    auto spool = open_spool(options);
    CHECK(spool->recovery().created);
    id = spool->id();
    append(*spool, make_events(1, 250));
    const auto contents = read_from_first(*spool);
    CHECK(contents.seqs == numbers(1, 250));
    CHECK(contents.intact);
    CHECK(contents.end.index == 250);
    CHECK_FALSE(contents.ended);
    end = contents.end;
    CHECK(spool->usage().waiting == 250);
    CHECK(spool->usage().appended == 250);
    spool->acknowledge({100, 0});
    CHECK(spool->usage().waiting == 150);
  }
  auto spool = open_spool(options);
  CHECK_FALSE(spool->recovery().created);
  CHECK_FALSE(spool->recovery().clean_end);
  CHECK(spool->recovery().damages.empty());
  CHECK(spool->id() == id);
  CHECK(spool->acknowledged().index == 100);
  CHECK(spool->lineage(end) == Lineage::held);
  append(*spool, make_events(251, 5));
  CHECK(read_from_first(*spool).seqs == numbers(1, 255));
  CHECK(read_from(*spool, {100, 0}).seqs == numbers(101, 155));
  CHECK(read_from(*spool, end).seqs == numbers(251, 5));
}

TEST_CASE("spool: losses and host events go with the next append, before its events") {
  const test::TemporaryDirectory directory;
  auto spool = open_spool(options_for(directory));
  spool->book({1, 2, "kernel", "ring-full", Kind::exec, {}, 3U});
  spool->book({2, 4, "kernel", "ring-full", Kind::exec, {}, 4U});
  spool->note({7, "start", "detail"});
  CHECK(read_from_first(*spool).end.index == 0);
  append(*spool, make_events(1, 1));
  const auto contents = read_from_first(*spool);
  REQUIRE(contents.losses.size() == 1);
  CHECK(contents.losses[0].count == 7U);
  REQUIRE(contents.host_events.size() == 1);
  CHECK(contents.host_events[0].detail == "detail");
  CHECK(contents.end.index == 3);
  for (int at = 0; at < 1030; ++at) spool->note({at, "reload", ""});
  spool->append({});
  const auto more = read_from(*spool, contents.end);
  CHECK(more.host_events.size() == 1024);
  CHECK(more.lost() == 6);
}

TEST_CASE("spool: a start learns of the logins of the last hour of this boot") {
  constexpr std::uint64_t second = 1'000'000'000;
  const test::TemporaryDirectory directory;
  auto options = options_for(directory);
  {
    auto spool = open_spool(options);
    auto events = make_events(1, 5);
    for (auto &event : events) event.environment.reset();
    events[0].kind = Kind::open_session;  // too old by then
    events[0].boot_ns = 10 * second;
    events[1].kind = Kind::connect;
    events[2].kind = Kind::exec;
    events[2].boot_ns = 4000 * second;
    events[2].environment.assign("PAM_TYPE=auth");
    events[3].kind = Kind::exec;
    events[4].kind = Kind::auth;
    events[4].boot_ns = 4001 * second;
    append(*spool, events);
  }
  {
    const auto spool = open_spool(options);
    const auto &logins = spool->recovery().logins;
    REQUIRE(logins.size() == 2);
    CHECK(logins[0].environment.count() == 1);
    CHECK(logins[1].kind == Kind::auth);
  }
  options.origin.boot_id = "00000000-0000-0000-0000-000000000001";
  CHECK(open_spool(options)->recovery().logins.empty());
}

TEST_CASE("spool: a start learns what the last daemon left") {
  const test::TemporaryDirectory directory;
  auto options = options_for(directory);
  options.rings = {{1, 1800}, {2, 0}};
  {
    auto spool = open_spool(options);
    append(*spool, make_events(1, 20));
    spool->book({1, 2, "kernel", "ring-full", Kind::exec, {}, 3U, 10U});
    spool->append({});
    spool->book({1, 2, "kernel", "ring-full", Kind::exec, {}, 3U, 13U});
    spool->note({test::sample_unix_us + 99, "stop", ""});
    spool->close();
    CHECK(read_from_first(*spool).ended);
  }
  {
    const auto spool = open_spool(options);
    const auto &found = spool->recovery();
    CHECK(found.clean_end);
    CHECK(found.last_origin == options.origin);
    CHECK(found.last_unix_us == test::sample_unix_us + 99);
    CHECK(found.last_seq == 20);
    CHECK(found.ring_marks == std::vector<spool::RingMark>{{1, 1900}, {1, 2000}});
    REQUIRE(found.counters.size() == 1);
    CHECK(found.counters[0].counter == 13U);
    CHECK(read_from_first(*spool).seqs == numbers(1, 20));
  }
  SUBCASE("of a daemon that wrote nothing and was killed") {
    CHECK_FALSE(open_spool(options)->recovery().clean_end);
  }
  SUBCASE("other rings and counters: what is known of those before means nothing") {
    options.rings = {{3, 0}};
    options.ring_generation = 8;
    const auto spool = open_spool(options);
    CHECK(spool->recovery().ring_marks.empty());
    CHECK(spool->recovery().counters.empty());
    CHECK(spool->recovery().last_seq == 20);
  }
  SUBCASE("another boot") {
    options.origin.boot_id = "99999999-2222-4333-8444-555555555555";
    CHECK(open_spool(options)->recovery().last_seq == 0);
  }
}

TEST_CASE("spool: counters outlive the segment that held their loss") {
  const test::TemporaryDirectory directory;
  auto options = options_for(directory);
  options.retain = 0ms;
  auto spool = open_spool(options);
  spool->book({1, 2, "kernel", "ring-full", Kind::exec, {}, 3U, 10U});
  append(*spool, make_events(1, 30, Kind::exec, 10'000));
  const auto end = read_from_first(*spool).end;
  spool->acknowledge(end);
  CHECK(spool->first().index > 1);
  spool.reset();
  spool = open_spool(options);
  REQUIRE(spool->recovery().counters.size() == 1);
  CHECK(spool->recovery().counters[0].counter == 10U);
}

TEST_CASE("spool: a batch has one origin, and no more rows and bytes than asked for") {
  const test::TemporaryDirectory directory;
  auto options = options_for(directory);
  append(*open_spool(options), make_events(1, 10));
  options.origin.boot_id = "99999999-2222-4333-8444-555555555555";
  auto spool = open_spool(options);
  append(*spool, make_events(11, 10));
  Batch batch;
  REQUIRE(*spool->read({0, 0}, {100, 1U << 20, 0ms}, batch, {}) == Read::some);
  CHECK(batch.size() == 10);
  CHECK(batch.origin().boot_id.starts_with('1'));
  REQUIRE(*spool->read(batch.to(), {4, 1U << 20, 0ms}, batch, {}) == Read::some);
  CHECK(batch.size() == 4);
  CHECK(batch.origin() == options.origin);
  REQUIRE(*spool->read(batch.to(), {100, 1, 0ms}, batch, {}) == Read::some);
  CHECK(batch.size() == 1);
}

TEST_CASE("spool: a reader waits for the first entry and for a full batch, but not when told to stop") {
  const test::TemporaryDirectory directory;
  auto spool = open_spool(options_for(directory));
  Batch batch;
  std::stop_source stop;
  const auto begin = std::chrono::steady_clock::now();
  CHECK(*spool->read({0, 0}, {10, 1U << 20, 30ms}, batch, {}) == Read::nothing);
  CHECK(std::chrono::steady_clock::now() - begin >= 30ms);
  {
    std::jthread writer{[&] {
      for (std::uint64_t seq = 1; seq <= 3; ++seq) {
        std::this_thread::sleep_for(10ms);
        append(*spool, make_events(seq, 1));
      }
    }};
    const auto fills = std::chrono::steady_clock::now();
    REQUIRE(*spool->read({0, 0}, {3, 1U << 20, 10s}, batch, {}) == Read::some);
    CHECK(batch.size() == 3);
    CHECK(std::chrono::steady_clock::now() - fills < 5s);
  }
  const auto waits = std::chrono::steady_clock::now();
  std::jthread stopper{[&] {
    std::this_thread::sleep_for(20ms);
    stop.request_stop();
  }};
  CHECK(*spool->read(batch.to(), {3, 1U << 20, 10s}, batch, stop.get_token()) == Read::nothing);
  CHECK(std::chrono::steady_clock::now() - waits < 1s);
}

TEST_CASE("spool: a second daemon, and a directory that others could change, are refused") {
  const test::TemporaryDirectory directory;
  auto options = options_for(directory);
  options.directory = directory.path / "new/parents/spool";
  {
    const auto spool = open_spool(options);
    CHECK(refusal(options) == "another daemon uses the spool " + options.directory + " already");
    struct stat status {};
    REQUIRE(stat(options.directory.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
    REQUIRE(stat((directory.path / "new").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0755);
  }
  CHECK(refusal(options) == "opened");
  std::filesystem::create_directory_symlink(options.directory, directory.path / "link");
  auto link = options;
  link.directory = directory.path / "link";
  CHECK(refusal(link).find("symbolic link") != std::string::npos);
  REQUIRE(chmod(options.directory.c_str(), 0770) == 0);
  CHECK(refusal(options).find("writable by others") != std::string::npos);
  REQUIRE(chmod(options.directory.c_str(), 0700) == 0);
  if (geteuid() == 0) {
    REQUIRE(chown(options.directory.c_str(), 1, 1) == 0);
    CHECK(refusal(options).find("another user") != std::string::npos);
  }
  options.directory = "relative";
  CHECK(refusal(options).find("absolute") != std::string::npos);
  options.max_size = 1000;
  CHECK(refusal(options).find("at least") != std::string::npos);
}

TEST_CASE("spool: lineage tells what is held, gone, and another spool's") {
  const test::TemporaryDirectory directory;
  auto options = options_for(directory);
  auto spool = open_spool(options);
  CHECK(spool->lineage({0, 0}) == Lineage::held);
  CHECK(spool->lineage({0, 5}) == Lineage::foreign);
  CHECK(spool->lineage({1, 5}) == Lineage::foreign);
  append(*spool, make_events(1, 10));
  const auto end = read_from_first(*spool).end;
  CHECK(spool->lineage(end) == Lineage::held);
  CHECK(spool->lineage({end.index, end.token ^ 1}) == Lineage::foreign);
  CHECK(spool->lineage({end.index + 1, end.token}) == Lineage::foreign);
  spool->close();
  spool.reset();

  // A copy has the same UUID and goes its own way.
  const auto copy_path = directory.path / "copy";
  std::filesystem::copy(directory.spool(), copy_path, std::filesystem::copy_options::recursive);
  auto copy_options = options;
  copy_options.directory = copy_path;
  auto copy = open_spool(copy_options);
  spool = open_spool(options);
  REQUIRE(copy->id() == spool->id());
  append(*spool, make_events(11, 5));
  append(*copy, make_events(100, 5));
  const auto ours = read_from(*spool, end).end;
  CHECK(spool->lineage(ours) == Lineage::held);
  CHECK(copy->lineage(ours) == Lineage::foreign);
  CHECK(copy->lineage(end) == Lineage::held);
  const std::string old_id = copy->id();
  REQUIRE(copy->fork().has_value());
  CHECK(copy->id() != old_id);
  const std::string new_id = copy->id();
  copy.reset();
  copy = open_spool(copy_options);
  CHECK(copy->id() == new_id);
  CHECK(read_from(*copy, end).seqs == numbers(100, 5));
}

TEST_CASE("spool: positions of before are gone when their segments are") {
  const test::TemporaryDirectory directory;
  auto options = options_for(directory);
  options.retain = 0ms;
  auto spool = open_spool(options);
  append(*spool, make_events(1, 40, Kind::exec, 10'000));
  const auto end = read_from_first(*spool).end;
  spool->acknowledge(end);
  const Position first = spool->first();
  CHECK(first.index > 0);
  CHECK(first.token != 0);
  CHECK(spool->lineage({0, 0}) == Lineage::gone);
  CHECK(spool->lineage({first.index - 1, 1}) == Lineage::gone);
  CHECK(spool->lineage(first) == Lineage::held);
  CHECK(spool->lineage({first.index, first.token ^ 1}) == Lineage::foreign);
  Batch batch;
  CHECK_FALSE(spool->read({0, 0}, {}, batch, {}).has_value());
  spool.reset();
  spool = open_spool(options);
  CHECK(spool->first() == first);
  CHECK(spool->lineage(end) == Lineage::held);
  CHECK(spool->acknowledged() == end);
}

TEST_CASE(
    "spool: logins are synced at once, the rest when it is due, and what is read before it is handed out") {
  const test::TemporaryDirectory directory;
  auto options = options_for(directory);
  options.sync_interval = 20ms;
  test::FaultyIo io;
  auto spool = open_spool(options, io);
  unsigned before = io.syncs;
  append(*spool, make_events(1, 1));
  CHECK(io.syncs == before);
  CHECK(spool->until_sync() <= 20ms);
  append(*spool, make_events(2, 1, Kind::auth));
  CHECK(io.syncs == before + 1);
  CHECK(spool->until_sync() == 1h);
  append(*spool, make_events(3, 1));
  spool->sync_if_due();
  CHECK(io.syncs == before + 1);
  std::this_thread::sleep_for(25ms);
  spool->sync_if_due();
  CHECK(io.syncs == before + 2);
  append(*spool, make_events(4, 1));
  CHECK(read_from_first(*spool).seqs.size() == 4);
  CHECK(io.syncs == before + 3);
  CHECK(read_from_first(*spool).seqs.size() == 4);
  CHECK(io.syncs == before + 3);
}
