#include "sink/samples.h"

#include <chrono>
#include <string>
#include <utility>

namespace iptrackd::test {

Event full_event() {
  Event event = bare_event(42);
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
  return event;
}

Event bare_event(std::uint64_t seq, std::int64_t unix_us) {
  Event event;
  event.seq = seq;
  event.unix_us = unix_us;
  event.boot_ns = seq;
  return event;
}

Event exec_event(std::uint64_t seq, std::int64_t unix_us, std::string_view comm) {
  Event event = bare_event(seq, unix_us);
  event.result = 0;
  event.pid = event.tid = static_cast<std::int32_t>(seq % 4'000'000);
  event.ppid = 1;
  event.sid = 2;
  event.uid = event.gid = event.euid = event.egid = event.loginuid = 1000;
  event.audit_session = 3;
  event.tty.assign("pts/0");
  event.comm.assign(comm);
  event.exe.assign("/usr/bin/ls");
  event.args.assign(std::string_view{"ls\0-l\0--color=auto\0/var/log\0", 28});
  event.args_truncated = false;
  event.cwd.assign("/home/user");
  event.cgroup.assign("/user.slice/user-1000.slice/session-3.scope");
  event.exe_device = 8U << 20 | 1U;
  event.exe_inode = 131;
  event.mount_namespace = 4026531841;
  return event;
}

std::int64_t now_unix_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

Result<void> open(sink::Sink &sink, std::stop_token stop) {
  auto opened = sink.open(sample_spool, sample_origin, std::move(stop));
  if (!opened) return tl::unexpected{opened.error()};
  return {};
}

Result<void> store(sink::Sink &sink, const std::vector<Event> &events, const std::vector<Loss> &losses,
                   const std::vector<HostEvent> &host_events, std::stop_token stop) {
  const auto opened = sink.open(sample_spool, sample_origin, {});
  if (!opened) return tl::unexpected{opened.error()};
  const Position from = opened->value_or(Position{});
  const std::uint64_t count = events.size() + losses.size() + host_events.size();
  const Position to = count == 0 ? from : Position{from.index + count, from.token + 1};
  return sink.write(sample_spool, {&sample_origin, from, to, events, losses, host_events}, std::move(stop));
}

}  // namespace iptrackd::test
