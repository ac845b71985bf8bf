#include "core/event.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

using namespace iptrackd;

TEST_CASE("every kind and mark has a name of its own") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kind_count; ++i) names.insert(kind_name(static_cast<Kind>(i)));
  CHECK(names.size() == kind_count);
  CHECK(kind_name(Kind::open_session) == "open_session");
  names.clear();
  for (std::size_t i = 0; i < mark_count; ++i) names.insert(mark_name(static_cast<Mark>(1U << i)));
  CHECK(names.size() == mark_count);
  CHECK(mark_name(Mark::path_truncated) == "path_truncated");
  CHECK(mark_name(Mark::delegated) == "delegated");
}

TEST_CASE("addresses: parsing, printing, and v4-mapped as IPv4") {
  CHECK(Address::parse("192.0.2.7")->to_string() == "192.0.2.7");
  CHECK(Address::parse("2001:db8::1")->to_string() == "2001:db8::1");
  CHECK(Address::parse("::ffff:192.0.2.7")->to_string() == "192.0.2.7");
  CHECK(Address::parse("fe80::1%eth0")->to_string() == "fe80::1");
  for (const char *bad : {"", "1.2.3", "1.2.3.256", "host.example", "::g", "1.2.3.4 ", "%eth0"}) {
    CHECK_FALSE(Address::parse(bad).has_value());
  }
  CHECK_FALSE(Address::parse(std::string(4000, '1')).has_value());
}

TEST_CASE("argument lists keep empty arguments and count them") {
  ArgList args;
  CHECK_FALSE(args.known());
  args.assign(std::string_view{"ls\0\0-l\0", 7});
  CHECK(args.count() == 3);
  std::vector<std::string> seen;
  args.for_each([&](std::string_view arg) { seen.emplace_back(arg); });
  CHECK(seen == std::vector<std::string>{"ls", "", "-l"});
  args.assign("cut of");
  CHECK(args.count() == 1);
  args.assign("");
  CHECK(args.known());
  CHECK(args.count() == 0);
}

TEST_CASE("reset forgets everything, and gives large buffers back") {
  Event event;
  event.exe.assign("/bin/sh");
  event.args.assign(std::string(100'000, 'x'));
  event.result = -2;
  event.remote.port = 22;
  event.pam_ruser.assign("root");
  event.container.assign(std::string(100'000, 'c'));
  event.job.assign("1");
  event.set(Mark::deleted);
  event.reset();
  CHECK_FALSE(event.exe.known());
  CHECK_FALSE(event.args.known());
  CHECK_FALSE(event.result.has_value());
  CHECK_FALSE(event.remote.port.has_value());
  CHECK_FALSE(event.pam_ruser.known());
  CHECK_FALSE(event.container.known());
  CHECK_FALSE(event.job.known());
  CHECK(event.marks == 0);
  CHECK(event.footprint() < 8192);
}
