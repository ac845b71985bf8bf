#include "core/sample_event.h"

#include <string_view>

namespace iptrackd::test {

Event full_event() {
  Event event;
  event.seq = event.boot_ns = 42;
  event.unix_us = sample_unix_us;
  event.kind = Kind::close;
  event.result = -111;
  event.pid = 101;
  event.tid = 102;
  event.ppid = 103;
  event.sid = 104;
  event.uid = 1001;
  event.gid = 1002;
  event.euid = 1003;
  event.egid = 4294967294;
  event.loginuid = 1005;
  event.audit_session = 1006;
  event.tty.assign("pts/3");
  event.comm.assign("curl");
  event.exe.assign("/usr/bin/curl");
  event.cwd.assign("/home/user");
  event.cgroup.assign("/user.slice/session-1.scope");
  event.container.assign("0123456789abcdef");
  event.job.assign("4711.server");
  event.args.assign(std::string_view{"curl\0-o\0\0a \"b\",{c}\0", 19});
  event.args_truncated = true;
  event.environment.assign(std::string_view{"PAM_USER=alice\0", 15});
  event.exe_device = 259U << 20 | 7U;
  event.exe_inode = 9'007'199'254'740'993;
  event.mount_namespace = 4026531841;
  event.protocol = Protocol::tcp;
  event.local = {Address::parse("192.0.2.1"), std::uint16_t{40000}};
  event.remote = {Address::parse("2001:db8::7"), std::uint16_t{443}};
  event.duration_ns = 3'723'000'004'999;
  event.bytes_sent = 5'000'000'001;
  event.bytes_received = 5'000'000'002;
  event.opener_pid = 105;
  event.pam_service.assign("sshd");
  event.pam_user.assign("alice");
  event.pam_ruser.assign("bob");
  event.pam_rhost.assign("client.example");
  event.set(Mark::memfd);
  event.set(Mark::path_truncated);
  event.ring = 2;
  event.ring_position = 1ULL << 40;
  return event;
}

}  // namespace iptrackd::test
