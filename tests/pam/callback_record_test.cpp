#include "pam/callback/record.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "pam/support.h"

extern "C" {
#include "pam/callback/exit_code.h"
#include "pam/callback/text.h"
}

using namespace iptrackd;
using namespace iptrackd::pam;
using namespace iptrackd::pam::testing;

namespace {

struct Built {
  int code = 0;
  ByteVector bytes;
  iptrackd_pam_header header{};
};

Built build(std::vector<std::string> environment) {
  std::vector<char *> pointers;
  pointers.reserve(environment.size() + 1);
  for (auto &variable : environment) pointers.push_back(variable.data());
  pointers.push_back(nullptr);
  // On the heap, so that a sanitizer sees the first byte too many.
  const auto record = std::make_unique<::Record>();
  Built built{build_record(record.get(), pointers.data()), {}, {}};
  if (built.code != 0) return built;
  built.bytes.assign(record->bytes, record->bytes + record->size);
  std::memcpy(&built.header, built.bytes.data(), sizeof(built.header));
  CHECK(inspect_frame(built.bytes).state == Frame::State::whole);
  return built;
}

Event parsed(const Built &built) {
  Event event;
  Moment now{~std::uint64_t{0}, 0, {}};
  std::copy_n(built.header.boot_id, now.boot_id.size(), now.boot_id.begin());
  REQUIRE(parse_record(built.bytes, now, event));
  return event;
}

std::uint64_t boot_ns() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

TEST_CASE("a record tells who ran the callback, and when") {
  const auto before = boot_ns();
  const Event event = parsed(build(session_environment()));
  CHECK(event.boot_ns >= before);
  CHECK(event.boot_ns <= boot_ns());
  CHECK(event.pid == getpid());
  CHECK(event.ppid == getppid());
  CHECK(event.uid == getuid());
  CHECK(event.euid == geteuid());
  CHECK(event.gid == getgid());
  CHECK(event.egid == getegid());
  CHECK(event.pam_user.view() == "alice");
  CHECK(event.pam_service.view() == "sshd");
  CHECK(event.remote.port == 50123);
}

TEST_CASE("only auth and sessions are reported") {
  CHECK(build({}).code == exit_no_pam_type);
  CHECK(build({"PAM_TYPES=auth", "XPAM_TYPE=auth", "PAM_TYP=auth"}).code == exit_no_pam_type);
  for (const char *type : {"", "account", "password", "AUTH", "auth ", "open_sessio"}) {
    CHECK(build({std::string{"PAM_TYPE="} + type}).code == exit_other_pam_type);
  }
  CHECK(build({"PAM_TYPE=auth"}).header.type == IPTRACKD_PAM_AUTH);
  CHECK(build({"PAM_TYPE=open_session"}).header.type == IPTRACKD_PAM_OPEN_SESSION);
  CHECK(build({"PAM_TYPE=close_session"}).header.type == IPTRACKD_PAM_CLOSE_SESSION);
}

TEST_CASE("missing, empty and 255-byte values stay what they are") {
  const Event event = parsed(build({"PAM_TYPE=auth", "PAM_USER=" + std::string(255, '\xc3'), "PAM_RHOST="}));
  CHECK(event.pam_user.view() == std::string(255, '\xc3'));
  CHECK_FALSE(event.pam_service.known());
  CHECK_FALSE(event.pam_rhost.known());
}

TEST_CASE("over-long values are cut and flagged, and all together fit") {
  const std::string endless(100'000, 'x');
  const auto built =
      build({"PAM_TYPE=auth", "PAM_USER=" + endless, "PAM_RUSER=" + endless, "PAM_RHOST=" + endless,
             "PAM_SERVICE=" + endless, "PAM_TTY=" + endless, "SSH_CONNECTION=" + endless});
  CHECK(built.header.cut == (1U << IPTRACKD_PAM_FIELD_COUNT) - 1);
  const Event event = parsed(built);
  CHECK(event.pam_user.view().size() == IPTRACKD_PAM_USER_MAX);
  CHECK(event.pam_rhost.view().size() == IPTRACKD_PAM_RHOST_MAX);

  const auto longest = build({"PAM_TYPE=auth", "PAM_USER=" + std::string(IPTRACKD_PAM_USER_MAX, 'x'),
                              "PAM_RHOST=" + std::string(IPTRACKD_PAM_RHOST_MAX + 1, 'x')});
  CHECK(longest.header.cut == 1U << IPTRACKD_PAM_FIELD_RHOST);
}

TEST_CASE("of a variable that is set twice the first counts, as for everyone else") {
  CHECK(parsed(build({"PAM_TYPE=auth", "PAM_USER=first", "PAM_USER=second"})).pam_user.view() == "first");
}

TEST_CASE("random environments always make a whole record") {
  std::mt19937 random{99};
  for (int round = 0; round < 500; ++round) {
    std::vector<std::string> environment{"PAM_TYPE=close_session"};
    for (const char *name : {"PAM_USER=", "PAM_RHOST=", "PAM_TTY=", "SSH_CONNECTION="}) {
      std::string value(random() % 2000, '\0');
      for (auto &byte : value) byte = static_cast<char>(1 + random() % 255);
      environment.push_back(name + value);
    }
    static_cast<void>(parsed(build(environment)));
  }
}

TEST_CASE("seconds of the command line") {
  CHECK(parse_seconds("5") == 5000);
  CHECK(parse_seconds("0") == 0);
  CHECK(parse_seconds("0.25") == 250);
  CHECK(parse_seconds("1.5") == 1500);
  CHECK(parse_seconds("0.001") == 1);
  CHECK(parse_seconds("3600") == 3'600'000);
  CHECK(parse_seconds("3600.000") == 3'600'000);
  for (const char *wrong : {"", "-1", "+1", ".5", "1.", "x", "5s", " 5", "5 ", "3600.001", "3601",
                            "99999999999999999", "0.0001", "1e3", "0x5", "1.2.3"}) {
    CAPTURE(wrong);
    CHECK(parse_seconds(wrong) == -1);
  }
}

TEST_CASE("a path that does not fit overflows instead of being cut") {
  const auto path = std::make_unique<::Path>();
  path_clear(path.get());
  path_append(path.get(), std::string(PATH_MAX - 3, 'x').c_str());
  path_append(path.get(), ".d");
  CHECK_FALSE(path->overflow);
  CHECK(path->length == PATH_MAX - 1);
  path_append(path.get(), "y");
  CHECK(path->overflow);

  path_clear(path.get());
  path_append_number(path.get(), 42, 5);
  path_append_number(path.get(), 0, 1);
  path_append_number(path.get(), ~std::uint64_t{0}, 20);
  CHECK(std::string{path->bytes} == "00042018446744073709551615");
}
