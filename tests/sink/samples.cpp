#include "sink/samples.h"

#include <chrono>
#include <string>
#include <utility>

namespace iptrackd::test {

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

sink::Writer::Options small_batches(std::size_t rows, std::chrono::milliseconds linger) {
  sink::Writer::Options options;
  options.batch.rows = rows;
  options.batch.linger = linger;
  return options;
}

}  // namespace iptrackd::test
