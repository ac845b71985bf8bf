#include "spool/codec.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "spool/field_tables.h"
#include "spool/fields.h"
#include "spool/support.h"

using namespace iptrackd;
using namespace iptrackd::spool;

namespace {

bool same(const Text &left, const Text &right) {
  return left.known() == right.known() && left.view() == right.view();
}

bool same(const ArgList &left, const ArgList &right) {
  return left.known() == right.known() && left.bytes() == right.bytes();
}

bool same(const Endpoint &left, const Endpoint &right) {
  return left.address == right.address && left.port == right.port;
}

// Written out, so that it does not share the codec's table.
bool same(const Event &a, const Event &b) {
  return a.kind == b.kind && a.boot_ns == b.boot_ns && a.unix_us == b.unix_us && a.seq == b.seq &&
         a.result == b.result && a.pid == b.pid && a.tid == b.tid && a.ppid == b.ppid && a.sid == b.sid &&
         a.uid == b.uid && a.gid == b.gid && a.euid == b.euid && a.egid == b.egid &&
         a.loginuid == b.loginuid && a.audit_session == b.audit_session && same(a.tty, b.tty) &&
         same(a.comm, b.comm) && same(a.exe, b.exe) && same(a.cwd, b.cwd) && same(a.cgroup, b.cgroup) &&
         same(a.container, b.container) && same(a.job, b.job) && same(a.args, b.args) &&
         same(a.environment, b.environment) && a.args_truncated == b.args_truncated &&
         a.exe_device == b.exe_device && a.exe_inode == b.exe_inode &&
         a.mount_namespace == b.mount_namespace && a.protocol == b.protocol && same(a.local, b.local) &&
         same(a.remote, b.remote) && a.duration_ns == b.duration_ns && a.bytes_sent == b.bytes_sent &&
         a.bytes_received == b.bytes_received && a.opener_pid == b.opener_pid &&
         same(a.pam_service, b.pam_service) && same(a.pam_user, b.pam_user) &&
         same(a.pam_ruser, b.pam_ruser) && same(a.pam_rhost, b.pam_rhost) && a.marks == b.marks &&
         a.ring == b.ring && a.ring_position == b.ring_position;
}

std::string encoded(const auto &what) {
  std::string bytes;
  encode(what, bytes);
  return bytes;
}

std::string field(std::uint8_t tag, std::string_view bytes) {
  std::string text;
  append_field(text, tag, bytes);
  return text;
}

}  // namespace

TEST_CASE("codec: an event comes back with every member, into one that was used before") {
  const Event full = test::full_event();
  // A member more? Then it gets its line in field_tables.h, in full_event() and in same().
  CHECK(sizeof(Event) == 824);
  Event back = test::make_event(9, Kind::bind, 500);
  for (const Event &event : {full, test::edge_event()}) {
    REQUIRE(decode(encoded(event), back));
    CHECK(same(event, back));
  }
  const Event empty;
  REQUIRE(decode(encoded(empty), back));
  CHECK(same(empty, back));
  CHECK_FALSE(same(empty, full));
}

TEST_CASE("codec: a text of any length, at the edges of the two forms of a field") {
  for (const std::size_t size : {0U, 1U, 254U, 255U, 256U, 70'000U}) {
    Event event;
    event.exe.assign(std::string(size, 'e'));
    Event back;
    REQUIRE(decode(encoded(event), back));
    CHECK(same(event, back));
  }
}

TEST_CASE("codec: losses and host events") {
  const Loss loss{1, 2, "kernel", "ring-full", Kind::exec, 0U, 0U, 77U};
  Loss back{9, 9, "x", "y", Kind::bind, 1U, 1U, 1U};
  REQUIRE(decode(encoded(loss), back));
  CHECK(back.from_unix_us == 1);
  CHECK(back.to_unix_us == 2);
  CHECK(back.stage == "kernel");
  CHECK(back.cause == "ring-full");
  CHECK(back.kind == Kind::exec);
  CHECK(back.uid == 0U);
  CHECK(back.count == 0U);
  CHECK(back.counter == 77U);
  REQUIRE(decode(encoded(Loss{}), back));
  CHECK((!back.kind && !back.uid && !back.count && !back.counter && back.stage.empty()));

  HostEvent event;
  REQUIRE(decode(encoded(HostEvent{5, "start", "by hand"}), event));
  CHECK(event.unix_us == 5);
  CHECK(event.kind == "start");
  CHECK(event.detail == "by hand");
}

TEST_CASE("codec: the booking of a damage is a loss that names its records") {
  const Damage damage{0, 3U, 1, 2, "file", "what"};
  const std::string bytes = encoded(damage);
  Loss loss;
  REQUIRE(decode(bytes, loss));
  CHECK(loss.cause == "damaged");
  CHECK(loss.count == 3U);
  const auto range = decode_range(bytes);
  REQUIRE(range);
  CHECK(range->first == 0);
  CHECK(range->count == 3U);
  CHECK_FALSE(decode_range(encoded(Damage{4, {}, 0, 0, "", ""}))->count);
  CHECK_FALSE(decode_range(encoded(loss)));
}

TEST_CASE("codec: fields that this program does not know are stepped over") {
  Event event = test::full_event();
  Event back;
  const std::string bytes = encoded(event);
  REQUIRE(decode(bytes + field(200, "new") + field(255, std::string(300, 'n')), back));
  CHECK(same(event, back));
  CHECK_FALSE(decode(bytes + field(200, "new") + field(199, "behind"), back));
  CHECK_FALSE(decode(bytes + field(44, "twice"), back));
}

TEST_CASE("codec: no tag is given twice, and tags rise") {
  std::set<int> tags;
  int last = 0;
  const auto visit = [&](int tag, const auto & /*member*/) {
    CHECK(tag > last);
    last = tag;
  };
  const Event event;
  visit_event(event, visit);
  CHECK(last == 44);
}

TEST_CASE("codec: values out of range and wrong widths are refused") {
  Event event;
  CHECK_FALSE(decode(field(5, "\x08"), event));  // kind
  CHECK(decode(field(5, "\x07"), event));
  CHECK_FALSE(decode(field(32, "\x02"), event));   // protocol
  CHECK_FALSE(decode(field(28, "\x02"), event));   // bool
  CHECK_FALSE(decode(field(10, "abc"), event));    // pid
  CHECK_FALSE(decode(field(33, "abcde"), event));  // address
  CHECK_FALSE(decode(field(27, "no end"), event));
  Loss loss;
  CHECK_FALSE(decode(field(5, "\x08"), loss));
}

TEST_CASE(
    "codec: a payload that is cut off or has any bit changed is refused or read, never beyond its end") {
  const std::string bytes = encoded(test::full_event());
  Event event;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // A copy of that very size: the sanitizers see a look behind its end.
    const std::string cut{bytes, 0, size};
    static_cast<void>(decode(cut, event));
    static_cast<void>(peek(cut));
  }
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    static_cast<void>(decode(changed, event));
  }
  CHECK_FALSE(decode(std::string_view{bytes}.substr(0, bytes.size() - 1), event));
  CHECK_FALSE(decode(std::string("\x14\xff\xff\xff\xff\xff", 6), event));
}

TEST_CASE("codec: what a recovery looks for is found without decoding") {
  const Peek found = peek(encoded(test::full_event()));
  CHECK(found.seq == 42);
  CHECK(found.unix_us == test::sample_unix_us);
  CHECK(found.ring == 2);
  CHECK(found.ring_position == 1ULL << 40);
}
