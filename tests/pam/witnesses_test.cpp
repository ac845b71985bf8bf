#include "pam/witnesses.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace iptrackd;
using namespace iptrackd::pam;
using namespace std::string_literals;

namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t start = 100 * second;

Event callback(std::int32_t pid, std::uint64_t boot_ns) {
  Event exec;
  exec.boot_ns = boot_ns;
  exec.pid = pid;
  exec.ppid = 7;
  exec.uid = 0U;
  exec.environment.assign("PAM_TYPE=open_session\0PAM_USER=ann\0SSH_CONNECTION=10.0.0.1 5000 10.0.0.2 22\0"s);
  return exec;
}

Event record(std::int32_t pid, std::uint64_t boot_ns) {
  Event event;
  event.kind = Kind::open_session;
  event.boot_ns = boot_ns;
  event.pid = pid;
  return event;
}

std::vector<Event> rebuilt_at(Witnesses &witnesses, std::uint64_t now) {
  std::vector<Event> events;
  witnesses.look(now, [&](Event &event) { events.push_back(event); });
  return events;
}

Witnesses watching() {
  Witnesses::Options options;
  options.watched_since = 0;
  return Witnesses{options};
}

}  // namespace

TEST_CASE("a record with its witness is vouched for, and nothing is rebuilt") {
  auto witnesses = watching();
  witnesses.saw(callback(50, start));
  Event event = record(50, start + 1000);
  CHECK(witnesses.admit(event));
  CHECK_FALSE(event.has(Mark::unvouched));
  witnesses.stored(event);
  CHECK(rebuilt_at(witnesses, start + 100 * second).empty());
}

TEST_CASE("a witness whose record does not come is rebuilt once, when it has waited long enough") {
  auto witnesses = watching();
  witnesses.saw(callback(50, start));
  CHECK(rebuilt_at(witnesses, start + 4 * second).empty());
  const auto events = rebuilt_at(witnesses, start + 6 * second);
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == Kind::open_session);
  CHECK(events[0].pam_user.view() == "ann");
  CHECK(events[0].remote.port == 5000);
  CHECK(events[0].pid == 50);
  CHECK(events[0].ppid == 7);
  CHECK(events[0].has(Mark::rebuilt));
  CHECK(rebuilt_at(witnesses, start + 12 * second).empty());
  Event late = record(50, start + 1000);  // its callback had left it in a file
  CHECK_FALSE(witnesses.admit(late));
}

TEST_CASE("a record without a witness is marked, where there should have been one") {
  Witnesses::Options options;
  options.watched_since = start;
  Witnesses witnesses{options};
  Event event = record(50, start + 1);
  CHECK(witnesses.admit(event));
  CHECK(event.has(Mark::unvouched));
  Event older = record(51, start - 1);
  CHECK(witnesses.admit(older));
  CHECK_FALSE(older.has(Mark::unvouched));
  Witnesses blind{{}};
  Event unseen = record(52, start + 1);
  CHECK(blind.admit(unseen));
  CHECK_FALSE(unseen.has(Mark::unvouched));
}

TEST_CASE("what the spool holds is not stored again, in whatever order it comes") {
  auto witnesses = watching();
  witnesses.stored(record(50, start + 1000));
  witnesses.saw(callback(50, start));  // read from the ring after the restart
  Event again = record(50, start + 1000);
  CHECK_FALSE(witnesses.admit(again));
  CHECK(rebuilt_at(witnesses, start + 100 * second).empty());
}

TEST_CASE("a pid that is used again is another callback") {
  auto witnesses = watching();
  witnesses.saw(callback(50, start));
  Event first = record(50, start + 1000);
  CHECK(witnesses.admit(first));
  witnesses.stored(first);
  witnesses.saw(callback(50, start + second));
  Event next = record(50, start + second + 1000);
  CHECK(witnesses.admit(next));
  CHECK_FALSE(next.has(Mark::unvouched));
}

TEST_CASE("an exec that is no PAM call becomes no record") {
  auto witnesses = watching();
  Event exec = callback(50, start);
  exec.environment.assign("PATH=/bin\0PAM_TYPE=setcred\0"s);
  witnesses.saw(exec);
  CHECK(rebuilt_at(witnesses, start + 100 * second).empty());
}
