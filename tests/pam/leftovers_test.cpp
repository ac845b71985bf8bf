#include "pam/leftovers.h"

#include <doctest/doctest.h>

#include <fstream>
#include <set>

#include "pam/support.h"

using namespace iptrackd;
using namespace iptrackd::pam;
using namespace iptrackd::pam::testing;

namespace {

using Verdict = Leftovers::Verdict;

struct LeftoversFixture {
  ScratchDirectory scratch;
  std::string directory = scratch / "pam.fifo.d";
  Leftovers leftovers{scratch / "pam.fifo"};

  void make_directory() const { REQUIRE(::mkdir(directory.c_str(), 0700) == 0); }
  void put(const std::string &name, const ByteVector &bytes) const {
    std::ofstream{directory + "/" + name, std::ios::binary}.write(
        reinterpret_cast<const char *>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  // The user names in the order in which the records are shown; all that are taken are settled.
  std::vector<std::string> users(std::uint64_t bad = 0) {
    std::vector<std::string> users;
    std::vector<std::uint64_t> tickets;
    const auto removed = leftovers.visit([&](Bytes record, std::uint64_t ticket) {
      Event event;
      if (!parse_record(record, {}, event)) return Verdict::bad;
      users.emplace_back(event.pam_user.view());
      tickets.push_back(ticket);
      return Verdict::taken;
    });
    CHECK(removed == bad);
    for (const std::uint64_t ticket : tickets) leftovers.settle(ticket);
    return users;
  }
};

ByteVector record_of(const std::string &user, std::int64_t real_ns = 1) {
  RecordBuilder builder;
  builder.header.real_ns = real_ns;
  builder.fields[IPTRACKD_PAM_FIELD_USER] = user;
  return builder.bytes();
}

}  // namespace

TEST_CASE("no directory, no records, no error") {
  LeftoversFixture fixture;
  CHECK(fixture.leftovers.check());
  CHECK(fixture.users().empty());
}

TEST_CASE("records come oldest first, and their files go") {
  LeftoversFixture fixture;
  fixture.make_directory();
  fixture.put("00000000000000000003.7", record_of("third"));
  fixture.put("00000000000000000001.9", record_of("first"));
  fixture.put("00000000000000000002.8", record_of("second"));
  CHECK(fixture.users() == std::vector<std::string>{"first", "second", "third"});
  CHECK(file_count(fixture.directory) == 0);
}

TEST_CASE("later keeps the record and what comes behind it; bad removes it") {
  LeftoversFixture fixture;
  fixture.make_directory();
  for (const char *name : {"1", "2", "3"}) fixture.put(name, record_of(name));
  int shown = 0;
  CHECK(fixture.leftovers.visit(
            [&](Bytes, std::uint64_t) { return ++shown == 1 ? Verdict::bad : Verdict::later; }) == 1);
  CHECK(shown == 2);
  CHECK(fixture.users() == std::vector<std::string>{"2", "3"});
}

TEST_CASE("what is taken is shown once, and its file stays until it is settled") {
  LeftoversFixture fixture;
  fixture.make_directory();
  fixture.put("1", record_of("alice"));
  std::vector<std::uint64_t> tickets;
  const auto take = [&](Bytes, std::uint64_t ticket) {
    tickets.push_back(ticket);
    return Verdict::taken;
  };
  CHECK(fixture.leftovers.visit(take) == 0);
  CHECK(fixture.leftovers.visit(take) == 0);
  REQUIRE(tickets.size() == 1);
  CHECK(file_count(fixture.directory) == 1);
  // A daemon that dies here leaves it to the next one.
  Leftovers next{fixture.scratch / "pam.fifo"};
  CHECK(next.visit([](Bytes, std::uint64_t) { return Verdict::later; }) == 0);
  fixture.leftovers.settle(tickets[0] + 1);
  CHECK(file_count(fixture.directory) == 1);
  fixture.leftovers.settle(tickets[0]);
  CHECK(file_count(fixture.directory) == 0);
}

TEST_CASE("files that are no record are counted and removed") {
  LeftoversFixture fixture;
  fixture.make_directory();
  const auto record = record_of("alice");
  fixture.put("0-empty", {});
  fixture.put("1-text", {'r', 'o', 'o', 't'});
  fixture.put("2-cut", {record.begin(), record.end() - 1});
  auto longer = record;
  longer.push_back(0);
  fixture.put("3-longer", longer);
  fixture.put("4-huge", ByteVector(1 << 20));
  fixture.put("5-good", record);
  std::ofstream{fixture.scratch / "precious"} << "precious";
  REQUIRE(::symlink((fixture.scratch / "precious").c_str(), (fixture.directory + "/6-link").c_str()) == 0);
  REQUIRE(::mkfifo((fixture.directory + "/7-fifo").c_str(), 0600) == 0);
  CHECK(fixture.users(7) == std::vector<std::string>{"alice"});
  CHECK(file_count(fixture.directory) == 0);
  CHECK(std::filesystem::file_size(fixture.scratch / "precious") == 8);
}

TEST_CASE("somebody else's file is not believed" * doctest::skip(not_root)) {
  LeftoversFixture fixture;
  fixture.make_directory();
  fixture.put("1", record_of("forged"));
  REQUIRE(::chown((fixture.directory + "/1").c_str(), 1, 1) == 0);
  CHECK(fixture.users(1).empty());
}

TEST_CASE("a file that is being written is left alone, until its callback must be dead") {
  LeftoversFixture fixture;
  fixture.make_directory();
  fixture.put(".1", record_of("alice"));
  CHECK(fixture.users().empty());
  CHECK(file_count(fixture.directory) == 1);
  const timespec long_ago[2]{{1'000'000, 0}, {1'000'000, 0}};
  REQUIRE(::utimensat(AT_FDCWD, (fixture.directory + "/.1").c_str(), long_ago, 0) == 0);
  CHECK(fixture.users() == std::vector<std::string>{"alice"});
}

TEST_CASE("a directory in the directory is nobody's record and does no harm") {
  LeftoversFixture fixture;
  fixture.make_directory();
  REQUIRE(::mkdir((fixture.directory + "/0").c_str(), 0700) == 0);
  fixture.put("1", record_of("alice"));
  CHECK(fixture.users() == std::vector<std::string>{"alice"});
  CHECK(file_count(fixture.directory) == 1);
}

TEST_CASE("a directory that others could write is an error, and nothing in it is believed") {
  LeftoversFixture fixture;
  SUBCASE("mode") {
    fixture.make_directory();
    fixture.put("1", record_of("forged"));
    REQUIRE(::chmod(fixture.directory.c_str(), 0777) == 0);
  }
  SUBCASE("link") {
    REQUIRE(::mkdir((fixture.scratch / "other").c_str(), 0700) == 0);
    REQUIRE(::symlink("other", fixture.directory.c_str()) == 0);
    fixture.put("1", record_of("forged"));
  }
  SUBCASE("file") {
    std::ofstream{fixture.directory} << "precious";
  }
  const auto checked = fixture.leftovers.check();
  REQUIRE_FALSE(checked);
  CHECK(checked.error().fault() == Fault::environment);
  CHECK(checked.error().message().find(fixture.directory) != std::string::npos);
  CHECK(fixture.users().empty());
  CHECK_FALSE(fixture.leftovers.leave(record_of("alice")));
}

TEST_CASE("what is left can be taken again, in order") {
  LeftoversFixture fixture;
  for (const int time : {3, 1, 2}) {
    CHECK(fixture.leftovers.leave(record_of("at " + std::to_string(time), time)));
    CHECK(fixture.leftovers.leave(record_of("at " + std::to_string(time), time)));  // same instant, own file
  }
  CHECK(fixture.users() == std::vector<std::string>{"at 1", "at 1", "at 2", "at 2", "at 3", "at 3"});
}
