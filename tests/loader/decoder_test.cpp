#include "loader/decoder.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "iptrackd/wire.h"

using namespace iptrackd;
using loader::decode;
using loader::DecodeError;

namespace {

struct Record {
  iptrackd_event fixed{};
  std::string exe, cwd, cgroup, batch_cgroup, args;

  [[nodiscard]] std::vector<std::byte> bytes() const {
    iptrackd_event head = fixed;
    head.exe_size = static_cast<__u32>(exe.size());
    head.cwd_size = static_cast<__u32>(cwd.size());
    head.cgroup_size = static_cast<__u32>(cgroup.size());
    head.batch_cgroup_size = static_cast<__u32>(batch_cgroup.size());
    head.args_size = static_cast<__u32>(args.size());
    const std::string tail = exe + cwd + cgroup + batch_cgroup + args;
    std::vector<std::byte> out(sizeof(head) + tail.size());
    std::memcpy(out.data(), &head, sizeof(head));
    std::memcpy(out.data() + sizeof(head), tail.data(), tail.size());
    return out;
  }
};

std::string with_nuls(std::initializer_list<const char *> parts) {
  std::string joined;
  for (const char *part : parts) joined.append(part).push_back('\0');
  return joined;
}

Record exec_record() {
  Record record;
  auto &e = record.fixed;
  e.version = IPTRACKD_WIRE_VERSION;
  e.fixed_size = sizeof(e);
  e.kind = IPTRACKD_KIND_EXEC;
  e.flags = IPTRACKD_FLAG_RESULT | IPTRACKD_FLAG_EXE | IPTRACKD_FLAG_CWD | IPTRACKD_FLAG_CGROUP |
            IPTRACKD_FLAG_ARGS;
  e.boot_ns = 123'456'789;
  e.exe_inode = 42;
  e.exe_device = 254 << 20 | 1;
  e.mount_namespace = 4026531841;
  e.tgid = 100;
  e.tid = 101;
  e.ppid = 99;
  e.sid = 98;
  e.uid = 1000;
  e.gid = 1001;
  e.euid = 0;
  e.egid = 1002;
  e.loginuid = IPTRACKD_UNSET;
  e.audit_session = 7;
  std::memcpy(e.comm, "bash", 5);
  std::memcpy(e.tty, "pts12", 6);
  record.exe = with_nuls({"bash", "bin", "usr"});
  record.cwd = "";
  record.cgroup = with_nuls({"ssh.service", "system.slice"});
  record.args = with_nuls({"-bash", "", "x y"});
  return record;
}

Record close_record() {
  Record record = exec_record();
  auto &e = record.fixed;
  e.kind = IPTRACKD_KIND_CLOSE;
  e.flags = IPTRACKD_FLAG_RESULT | IPTRACKD_FLAG_EXE | IPTRACKD_FLAG_CGROUP | IPTRACKD_FLAG_LOCAL |
            IPTRACKD_FLAG_REMOTE | IPTRACKD_FLAG_BYTES | IPTRACKD_FLAG_BEGAN | IPTRACKD_FLAG_OPENER;
  e.protocol = IPPROTO_TCP;
  e.family = AF_INET6;
  e.began_ns = 100'000'000;
  e.bytes_sent = 1ULL << 40;
  e.bytes_received = 0;
  e.opener = 55;
  e.local_port = 22;
  e.remote_port = 40000;
  inet_pton(AF_INET6, "2001:db8::1", e.local);
  inet_pton(AF_INET6, "::ffff:192.0.2.9", e.remote);
  record.cwd.clear();
  record.args.clear();
  return record;
}

}  // namespace

TEST_CASE("an exec record becomes an event, every field") {
  Event event;
  REQUIRE(decode(exec_record().bytes(), event) == DecodeError::none);
  CHECK(event.kind == Kind::exec);
  CHECK(event.boot_ns == 123'456'789);
  CHECK(event.result == 0);
  CHECK(event.pid == 100);
  CHECK(event.tid == 101);
  CHECK(event.ppid == 99);
  CHECK(event.sid == 98);
  CHECK(event.uid == 1000U);
  CHECK(event.gid == 1001U);
  CHECK(event.euid == 0U);
  CHECK(event.egid == 1002U);
  CHECK_FALSE(event.loginuid.has_value());
  CHECK(event.audit_session == 7U);
  CHECK(event.comm.view() == "bash");
  CHECK(event.tty.view() == "pts/12");
  CHECK(event.exe.view() == "/usr/bin/bash");
  CHECK(event.cwd.view() == "/");
  CHECK(event.cgroup.view() == "/system.slice/ssh.service");
  CHECK_FALSE(event.container.known());
  CHECK_FALSE(event.job.known());
  CHECK(event.args.bytes() == with_nuls({"-bash", "", "x y"}));
  CHECK(event.args_truncated == false);
  CHECK(event.exe_device == (254U << 20 | 1U));
  CHECK(event.exe_inode == 42U);
  CHECK(event.mount_namespace == 4026531841U);
  CHECK_FALSE(event.protocol.has_value());
  CHECK_FALSE(event.remote.port.has_value());
  CHECK_FALSE(event.duration_ns.has_value());
  CHECK(event.marks == 0);
}

TEST_CASE("a close record becomes an event, every field of its socket") {
  Event event;
  REQUIRE(decode(close_record().bytes(), event) == DecodeError::none);
  CHECK(event.kind == Kind::close);
  CHECK(event.protocol == Protocol::tcp);
  CHECK(event.local.address->to_string() == "2001:db8::1");
  CHECK(event.local.port == 22);
  CHECK(event.remote.address->to_string() == "192.0.2.9");
  CHECK(event.remote.port == 40000);
  CHECK(event.duration_ns == 23'456'789U);
  CHECK(event.bytes_sent == 1ULL << 40);
  CHECK(event.bytes_received == 0U);
  CHECK(event.opener_pid == 55);
  CHECK_FALSE(event.args.known());
  CHECK_FALSE(event.cwd.known());
}

TEST_CASE("what the flags do not vouch for stays unknown") {
  Record record = close_record();
  record.fixed.flags = 0;
  record.exe.clear();
  record.cgroup.clear();
  record.fixed.mount_namespace = 0;
  record.fixed.tty[0] = 0;
  Event event;
  REQUIRE(decode(record.bytes(), event) == DecodeError::none);
  CHECK_FALSE(event.result.has_value());
  CHECK_FALSE(event.exe.known());
  CHECK_FALSE(event.exe_inode.has_value());
  CHECK_FALSE(event.cgroup.known());
  CHECK_FALSE(event.tty.known());
  CHECK_FALSE(event.mount_namespace.has_value());
  CHECK_FALSE(event.local.address.has_value());
  CHECK_FALSE(event.remote.port.has_value());
  CHECK_FALSE(event.bytes_sent.has_value());
  CHECK_FALSE(event.duration_ns.has_value());
  CHECK_FALSE(event.opener_pid.has_value());
}

TEST_CASE("a failed exec's name is kept as it was asked for, without file identity") {
  Record record = exec_record();
  record.fixed.result = -2;
  record.fixed.flags =
      IPTRACKD_FLAG_RESULT | IPTRACKD_FLAG_EXE | IPTRACKD_FLAG_EXE_VERBATIM | IPTRACKD_FLAG_UNTRUSTED;
  record.exe = with_nuls({"./no/such"});
  record.cwd = record.cgroup = record.args = "";
  Event event;
  REQUIRE(decode(record.bytes(), event) == DecodeError::none);
  CHECK(event.exe.view() == "./no/such");
  CHECK_FALSE(event.exe_inode.has_value());
  CHECK(event.has(Mark::untrusted));
  CHECK(event.result == -2);
}

TEST_CASE("a connect that was refused before its socket had an address has none; a bind to any address has") {
  Record record = close_record();
  std::memset(record.fixed.local, 0, sizeof(record.fixed.local));
  record.fixed.local_port = 0;
  record.fixed.kind = IPTRACKD_KIND_CONNECT;
  Event connect;
  REQUIRE(decode(record.bytes(), connect) == DecodeError::none);
  CHECK_FALSE(connect.local.address.has_value());
  CHECK_FALSE(connect.local.port.has_value());
  CHECK(connect.remote.port == 40000);

  record.fixed.kind = IPTRACKD_KIND_BIND;
  Event bind;
  REQUIRE(decode(record.bytes(), bind) == DecodeError::none);
  CHECK(bind.local.address->to_string() == "::");
  CHECK(bind.local.port == 0);
}

TEST_CASE("the remarks become marks") {
  Record record = exec_record();
  record.fixed.flags |= IPTRACKD_FLAG_DELETED | IPTRACKD_FLAG_MEMFD | IPTRACKD_FLAG_PATH_TRUNCATED |
                        IPTRACKD_FLAG_PREEXISTING | IPTRACKD_FLAG_ARGS_TRUNCATED | IPTRACKD_FLAG_IO_URING |
                        IPTRACKD_FLAG_BY_KERNEL;
  record.exe = with_nuls({"memfd:x"});
  Event event;
  REQUIRE(decode(record.bytes(), event) == DecodeError::none);
  for (const Mark mark :
       {Mark::deleted, Mark::memfd, Mark::path_truncated, Mark::preexisting, Mark::io_uring, Mark::by_kernel})
    CHECK(event.has(mark));
  CHECK_FALSE(event.has(Mark::untrusted));
  CHECK(event.exe.view() == "/memfd:x");
  CHECK(event.args_truncated == true);
}

TEST_CASE("the control groups tell the container and the job") {
  Record record = exec_record();
  const std::string id(64, 'c');
  record.cgroup = with_nuls({("docker-" + id + ".scope").c_str(), "system.slice"});
  record.batch_cgroup = with_nuls({"step_0", "job_77", "uid_1000", "slurm"});
  record.fixed.batch_cgroup_delegated = 1;
  Event event;
  REQUIRE(decode(record.bytes(), event) == DecodeError::none);
  CHECK(event.cgroup.view() == "/system.slice/docker-" + id + ".scope");
  CHECK(event.container.view() == id);
  CHECK(event.job.view() == "77");
  CHECK_FALSE(event.has(Mark::delegated));
  CHECK(event.args.bytes() == record.args);
}

TEST_CASE("what root does not own makes no job, and marks a container") {
  Record record = exec_record();
  const std::string id(64, 'c');
  record.cgroup = with_nuls({("libpod-" + id).c_str(), "user@1000.service", "user.slice"});
  record.batch_cgroup = with_nuls({"job_77", "uid_1000", "slurm"});
  for (const __u16 delegated : std::initializer_list<__u16>{1, 2, 3, 4, 65535}) {
    CAPTURE(delegated);
    record.fixed.cgroup_delegated = record.fixed.batch_cgroup_delegated = delegated;
    Event event;
    REQUIRE(decode(record.bytes(), event) == DecodeError::none);
    CHECK(event.container.view() == id);
    CHECK(event.has(Mark::delegated));
    CHECK_FALSE(event.job.known());
  }
}

TEST_CASE("without the kernel's word on the control group there is neither container nor job") {
  Record record = exec_record();
  record.fixed.flags &= ~IPTRACKD_FLAG_CGROUP;
  record.cgroup = with_nuls({"job_77", "slurm"});
  Event event;
  REQUIRE(decode(record.bytes(), event) == DecodeError::none);
  CHECK_FALSE(event.job.known());
}

TEST_CASE("only a pseudo terminal's slave gets a slash") {
  for (const auto &[name, shown] :
       {std::pair{"tty1", "tty1"}, {"ttyS0", "ttyS0"}, {"pts0", "pts/0"}, {"ptsx", "ptsx"}}) {
    Record record = exec_record();
    std::memset(record.fixed.tty, 0, sizeof(record.fixed.tty));
    std::memcpy(record.fixed.tty, name, std::strlen(name));
    Event event;
    REQUIRE(decode(record.bytes(), event) == DecodeError::none);
    CHECK(event.tty.view() == shown);
  }
}

TEST_CASE("a comm and a tty that fill their fields have no NUL") {
  Record record = exec_record();
  std::memset(record.fixed.comm, 'c', sizeof(record.fixed.comm));
  std::memset(record.fixed.tty, 't', sizeof(record.fixed.tty));
  Event event;
  REQUIRE(decode(record.bytes(), event) == DecodeError::none);
  CHECK(event.comm.view() == std::string(16, 'c'));
  CHECK(event.tty.view() == std::string(64, 't'));
}

TEST_CASE("every truncation of a record is refused, and none is read beyond its end") {
  Record both = exec_record();
  both.batch_cgroup = with_nuls({"job_1", "slurm"});
  for (const auto &record : {exec_record(), close_record(), both}) {
    const auto whole = record.bytes();
    for (std::size_t size = 0; size < whole.size(); ++size) {
      // A heap block of exactly that size, so that AddressSanitizer sees one byte too many.
      const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      Event event;
      CHECK(decode(cut, event) != DecodeError::none);
    }
    auto longer = whole;
    longer.push_back(std::byte{0});
    Event event;
    CHECK(decode(longer, event) == DecodeError::wrong_size);
  }
}

TEST_CASE("wrong versions, kinds and sizes are told apart") {
  Event event;
  Record record = exec_record();
  record.fixed.version = 99;
  CHECK(decode(record.bytes(), event) == DecodeError::wrong_version);
  record = exec_record();
  record.fixed.fixed_size = 8;
  CHECK(decode(record.bytes(), event) == DecodeError::wrong_version);
  record = exec_record();
  record.fixed.kind = IPTRACKD_KIND_COUNT;
  CHECK(decode(record.bytes(), event) == DecodeError::unknown_kind);
  auto bytes = exec_record().bytes();
  const __u32 huge = 0xffffffff;
  std::memcpy(bytes.data() + offsetof(iptrackd_event, cwd_size), &huge, sizeof(huge));
  CHECK(decode(bytes, event) == DecodeError::wrong_size);
  CHECK(decode({}, event) == DecodeError::too_short);
}

TEST_CASE("random bytes never harm") {
  std::mt19937 random{42};
  const auto whole = exec_record().bytes();
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = whole;
    for (int flips = 0; flips < 8; ++flips) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    Event event;
    (void)decode(bytes, event);
  }
}
