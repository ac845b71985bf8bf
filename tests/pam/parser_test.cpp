#include "pam/parser.h"

#include <doctest/doctest.h>

#include <random>

#include "pam/support.h"

using namespace iptrackd;
using namespace iptrackd::pam;
using namespace iptrackd::pam::testing;
using namespace std::string_literals;

namespace {

const Moment now{5'000'000, 1'800'000'000'000'000, {}};

Event parsed(const RecordBuilder &builder, const Moment &at = now) {
  Event event;
  REQUIRE(parse_record(builder.bytes(), at, event));
  return event;
}

Event with_connection(const std::string &connection, const std::string &rhost = "") {
  RecordBuilder builder;
  builder.fields[IPTRACKD_PAM_FIELD_CONNECTION] = connection;
  builder.fields[IPTRACKD_PAM_FIELD_RHOST] = rhost;
  return parsed(builder);
}

}  // namespace

TEST_CASE("every field of a record arrives") {
  RecordBuilder builder;
  builder.header.pid = 101;
  builder.header.ppid = 100;
  builder.header.sid = 99;
  builder.header.uid = 0;
  builder.header.gid = 1;
  builder.header.euid = 2;
  builder.header.egid = 3;
  builder.header.loginuid = 1000;
  builder.header.audit_session = 7;
  builder.fields[IPTRACKD_PAM_FIELD_RUSER] = "bob";
  builder.fields[IPTRACKD_PAM_FIELD_RHOST] = "host.example.org";
  builder.fields[IPTRACKD_PAM_FIELD_SERVICE] = "sshd";
  builder.fields[IPTRACKD_PAM_FIELD_TTY] = "ssh";
  const Event event = parsed(builder);

  CHECK(event.kind == Kind::open_session);
  CHECK(event.boot_ns == 1000);
  CHECK(event.unix_us == 1'700'000'000'123'456);
  CHECK(event.result == 0);
  CHECK(event.pid == 101);
  CHECK(event.tid == 101);
  CHECK(event.ppid == 100);
  CHECK(event.sid == 99);
  CHECK(event.uid == 0U);
  CHECK(event.gid == 1U);
  CHECK(event.euid == 2U);
  CHECK(event.egid == 3U);
  CHECK(event.loginuid == 1000U);
  CHECK(event.audit_session == 7U);
  CHECK(event.pam_user.view() == "alice");
  CHECK(event.pam_ruser.view() == "bob");
  CHECK(event.pam_rhost.view() == "host.example.org");
  CHECK(event.pam_service.view() == "sshd");
  CHECK(event.tty.view() == "ssh");
  CHECK(event.protocol == Protocol::tcp);
  CHECK(event.remote.address->to_string() == "192.0.2.7");
  CHECK(event.remote.port == 50123);
  CHECK(event.local.address->to_string() == "198.51.100.1");
  CHECK(event.local.port == 22);
  CHECK(event.marks == 0);
}

TEST_CASE("what is not known stays unknown") {
  RecordBuilder builder;
  builder.header.type = IPTRACKD_PAM_AUTH;
  builder.header.uid = IPTRACKD_PAM_UNKNOWN_ID;
  builder.fields = {};
  const Event event = parsed(builder);
  CHECK(event.kind == Kind::auth);
  CHECK_FALSE(event.result);  // pam_exec cannot tell whether the user will be let in
  CHECK_FALSE(event.pid);     // 0 in the record: not visible from the callback's pid namespace
  CHECK_FALSE(event.ppid);
  CHECK_FALSE(event.sid);
  CHECK_FALSE(event.uid);
  CHECK_FALSE(event.loginuid);
  CHECK_FALSE(event.audit_session);
  for (const Text *text :
       {&event.pam_user, &event.pam_ruser, &event.pam_rhost, &event.pam_service, &event.tty}) {
    CHECK_FALSE(text->known());
  }
  CHECK_FALSE(event.protocol);
  CHECK_FALSE(event.remote.address);
  CHECK_FALSE(event.remote.port);
  CHECK_FALSE(event.local.address);
  CHECK_FALSE(event.local.port);
}

TEST_CASE("an empty user is a user name, an empty host is none") {
  RecordBuilder builder;
  builder.fields[IPTRACKD_PAM_FIELD_USER] = "";
  builder.fields[IPTRACKD_PAM_FIELD_RHOST] = "";
  const Event event = parsed(builder);
  CHECK(event.pam_user.known());
  CHECK(event.pam_user.view().empty());
  CHECK_FALSE(event.pam_rhost.known());
}

TEST_CASE("hostile bytes are only bytes") {
  RecordBuilder builder;
  const std::string hostile = "a,b\n\xff\xfe\r\0'\"\\x41;--"s;
  builder.fields[IPTRACKD_PAM_FIELD_USER] = hostile;
  builder.fields[IPTRACKD_PAM_FIELD_RHOST] = std::string(1025, '\xff');
  const Event event = parsed(builder);
  CHECK(event.pam_user.view() == hostile);
  CHECK(event.pam_rhost.view() == std::string(1025, '\xff'));
}

TEST_CASE("a terminal is named as in events of the kernel") {
  RecordBuilder builder;
  builder.fields[IPTRACKD_PAM_FIELD_TTY] = "/dev/pts/3";
  CHECK(parsed(builder).tty.view() == "pts/3");
  builder.fields[IPTRACKD_PAM_FIELD_TTY] = "/dev/";
  CHECK_FALSE(parsed(builder).tty.known());
}

TEST_CASE("connections over IPv6, with a zone, and mapped") {
  const Event six = with_connection("2001:db8::1 50123 2001:db8::2 2222");
  CHECK(six.remote.address->to_string() == "2001:db8::1");
  CHECK(six.local.address->to_string() == "2001:db8::2");
  CHECK(six.local.port == 2222);
  CHECK(with_connection("fe80::1%eth0 1 fe80::2%eth0 22").remote.address->to_string() == "fe80::1");
  CHECK(with_connection("::ffff:192.0.2.7 1 ::ffff:192.0.2.8 22").remote.address->to_string() == "192.0.2.7");
}

TEST_CASE("a connection that is wrong anywhere is not believed, and the host is asked instead") {
  for (const char *wrong :
       {"", " ", "192.0.2.7", "192.0.2.7 1", "192.0.2.7 1 192.0.2.8", "192.0.2.7 1 192.0.2.8 22 ", "x 1 y 2",
        "192.0.2.7 70000 192.0.2.8 22", "192.0.2.7 0 192.0.2.8 22", "192.0.2.7 -1 192.0.2.8 22",
        "192.0.2.7 1 192.0.2.8 22x", "192.0.2.7  1 192.0.2.8 22", "192.0.2.7 1 192.0.2.8 22 5",
        "UNKNOWN 65535 UNKNOWN 65535", "192.0.2.7 +1 192.0.2.8 22", "192.0.2.7\n1 192.0.2.8 22"}) {
    CAPTURE(wrong);
    const Event event = with_connection(wrong, "203.0.113.9");
    CHECK(event.remote.address->to_string() == "203.0.113.9");
    CHECK_FALSE(event.remote.port);
    CHECK_FALSE(event.local.address);
    CHECK_FALSE(event.protocol);
    CHECK_FALSE(with_connection(wrong, "host.example.org").remote.address);
  }
}

TEST_CASE("times lie in this boot and not in the future") {
  RecordBuilder builder;
  builder.header.boot_ns = now.boot_ns + 1;
  CHECK(parsed(builder).boot_ns == now.boot_ns);
  builder.header.boot_ns = ~std::uint64_t{0};
  CHECK(parsed(builder).boot_ns == now.boot_ns);
  builder.header.real_ns = -1;
  CHECK(parsed(builder).unix_us == now.unix_us);
}

TEST_CASE("a record of another boot happened now, at its own time of day") {
  RecordBuilder builder;
  builder.header.boot_id[0] = 1;
  const Event event = parsed(builder);
  CHECK(event.boot_ns == now.boot_ns);
  CHECK(event.unix_us == 1'700'000'000'123'456);
  CHECK(event.has(Mark::preexisting));
}

TEST_CASE("kinds and versions that are not known are refused") {
  Event event;
  for (const int type : {0, 4, 255}) {
    RecordBuilder builder;
    builder.header.type = static_cast<std::uint8_t>(type);
    CHECK_FALSE(parse_record(builder.bytes(), now, event));
  }
  RecordBuilder builder;
  builder.header.version = IPTRACKD_PAM_VERSION + 1;
  CHECK_FALSE(parse_record(builder.bytes(), now, event));
}

TEST_CASE("every truncation is refused, even one with a right size and checksum") {
  const auto record = RecordBuilder{}.bytes();
  for (std::size_t size = 0; size < record.size(); ++size) {
    CAPTURE(size);
    // A copy of its own size, so that a sanitizer sees the first byte too many.
    ByteVector cut{record.begin(), record.begin() + static_cast<std::ptrdiff_t>(size)};
    Event event;
    CHECK_FALSE(parse_record(cut, now, event));
    if (size < IPTRACKD_PAM_HEADER_SIZE) continue;
    const auto lie = static_cast<std::uint16_t>(size);
    std::memcpy(cut.data() + offsetof(iptrackd_pam_header, size), &lie, sizeof(lie));
    RecordBuilder::seal(cut);
    CHECK_FALSE(parse_record(cut, now, event));
  }
}

TEST_CASE("bytes behind the last field are refused") {
  auto record = RecordBuilder{}.bytes();
  record.push_back(0);
  const auto size = static_cast<std::uint16_t>(record.size());
  std::memcpy(record.data() + offsetof(iptrackd_pam_header, size), &size, sizeof(size));
  Event event;
  CHECK_FALSE(parse_record(record, now, event));
}

TEST_CASE("random corruption never reads outside the record") {
  std::mt19937 random{4711};
  const auto record = RecordBuilder{}.bytes();
  for (int round = 0; round < 20'000; ++round) {
    auto damaged = record;
    for (auto changes = 1 + random() % 6; changes > 0; --changes) {
      damaged[random() % damaged.size()] = static_cast<std::uint8_t>(random());
    }
    Event event;
    if (parse_record(damaged, now, event)) CHECK(event.boot_ns <= now.boot_ns);
  }
}
