#include "loader/decoder.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "iptrackd/wire.h"
#include "loader/workload.h"

namespace iptrackd::loader {
namespace {

struct Parts {
  std::string_view exe, cwd, cgroup, batch_cgroup, args, environment;
};

std::string_view c_string(std::span<const __u8> bytes) {
  const auto end = std::find(bytes.begin(), bytes.end(), 0);
  return {reinterpret_cast<const char *>(bytes.data()), static_cast<std::size_t>(end - bytes.begin())};
}

// "sshd\0sbin\0usr\0" becomes "/usr/sbin/sshd"; nothing becomes "/".
void assign_path(Text &text, std::string_view reversed) {
  std::string &path = text.edit();
  path.clear();
  path.reserve(reversed.size() + 1);
  while (!reversed.empty()) {
    const bool terminated = reversed.back() == '\0';
    std::string_view rest = reversed.substr(0, reversed.size() - (terminated ? 1 : 0));
    const auto previous = rest.rfind('\0');
    const std::size_t begin = previous == std::string_view::npos ? 0 : previous + 1;
    path.push_back('/');
    path.append(rest.substr(begin));
    reversed = reversed.substr(0, begin);
  }
  if (path.empty()) path.push_back('/');
}

// The kernel's name of a pseudo terminal's slave has no slash; its device file has: pts/3.
void assign_tty(Text &tty, std::string_view name) {
  if (name.empty()) return;
  tty.assign(name);
  const bool is_pts = name.starts_with("pts") && name.size() > 3 &&
                      std::all_of(name.begin() + 3, name.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (is_pts) tty.edit().insert(3, 1, '/');
}

std::optional<std::uint32_t> unless_unset(__u32 id) {
  return id == IPTRACKD_UNSET ? std::nullopt : std::optional<std::uint32_t>{id};
}

Address make_address(const iptrackd_event &wire, const __u8 *bytes) {
  return wire.family == AF_INET6 ? Address::from_v6(bytes) : Address::from_v4(bytes);
}

void decode_ids(const iptrackd_event &wire, Event &event) {
  event.pid = static_cast<std::int32_t>(wire.tgid);
  event.tid = static_cast<std::int32_t>(wire.tid);
  event.ppid = static_cast<std::int32_t>(wire.ppid);
  event.sid = static_cast<std::int32_t>(wire.sid);
  event.uid = wire.uid;
  event.gid = wire.gid;
  event.euid = wire.euid;
  event.egid = wire.egid;
  event.loginuid = unless_unset(wire.loginuid);
  event.audit_session = unless_unset(wire.audit_session);
  event.comm.assign(c_string(wire.comm));
  assign_tty(event.tty, c_string(wire.tty));
  if (wire.mount_namespace != 0) event.mount_namespace = wire.mount_namespace;
}

// PATH without its last DELEGATED components is what root owns.
ControlGroup control_group(std::string_view path, std::size_t delegated) {
  std::size_t trusted = path.size();
  for (; delegated > 0 && trusted > 0; --delegated) trusted = path.rfind('/', trusted - 1);
  return {path, trusted};
}

void decode_cgroup(const iptrackd_event &wire, const Parts &parts, Event &event) {
  assign_path(event.cgroup, parts.cgroup);
  Text batch;
  if (!parts.batch_cgroup.empty()) assign_path(batch, parts.batch_cgroup);
  const Workload workload = workload_of(control_group(event.cgroup.view(), wire.cgroup_delegated),
                                        control_group(batch.view(), wire.batch_cgroup_delegated));
  if (workload.container) event.container.assign(*workload.container);
  if (workload.job) event.job.assign(*workload.job);
  if (workload.container_delegated) event.set(Mark::delegated);
}

void decode_program(const iptrackd_event &wire, const Parts &parts, Event &event) {
  const bool verbatim = (wire.flags & IPTRACKD_FLAG_EXE_VERBATIM) != 0;
  if (verbatim) {
    event.exe.assign(parts.exe.substr(0, parts.exe.find('\0')));
  } else if ((wire.flags & IPTRACKD_FLAG_EXE) != 0) {
    if (!parts.exe.empty()) assign_path(event.exe, parts.exe);
    event.exe_device = wire.exe_device;
    event.exe_inode = wire.exe_inode;
  }
  if ((wire.flags & IPTRACKD_FLAG_CWD) != 0) assign_path(event.cwd, parts.cwd);
  if ((wire.flags & IPTRACKD_FLAG_CGROUP) != 0) decode_cgroup(wire, parts, event);
  if ((wire.flags & IPTRACKD_FLAG_ARGS) != 0) {
    event.args.assign(parts.args);
    event.args_truncated = (wire.flags & IPTRACKD_FLAG_ARGS_TRUNCATED) != 0;
  }
}

// Where a connect was refused early its socket has no address or port of its own yet: the kernel's zeros mean
// "none" then. For a bind they are what was asked for.
Endpoint without_unset(Endpoint endpoint) {
  if (endpoint.address && endpoint.address->bytes == decltype(Address::bytes){}) endpoint.address.reset();
  if (endpoint.port == 0) endpoint.port.reset();
  return endpoint;
}

void decode_socket(const iptrackd_event &wire, Event &event) {
  if (wire.protocol == 0) return;
  event.protocol = wire.protocol == IPPROTO_UDP ? Protocol::udp : Protocol::tcp;
  if ((wire.flags & IPTRACKD_FLAG_LOCAL) != 0) {
    event.local = {make_address(wire, wire.local), wire.local_port};
    if (wire.kind == IPTRACKD_KIND_CONNECT) event.local = without_unset(event.local);
  }
  if ((wire.flags & IPTRACKD_FLAG_REMOTE) != 0) {
    event.remote = {make_address(wire, wire.remote), wire.remote_port};
  }
  if ((wire.flags & IPTRACKD_FLAG_BYTES) != 0) {
    event.bytes_sent = wire.bytes_sent;
    event.bytes_received = wire.bytes_received;
  }
  if ((wire.flags & IPTRACKD_FLAG_BEGAN) != 0 && wire.began_ns <= wire.boot_ns) {
    event.duration_ns = wire.boot_ns - wire.began_ns;
  }
  if ((wire.flags & IPTRACKD_FLAG_OPENER) != 0) event.opener_pid = static_cast<std::int32_t>(wire.opener);
}

void decode_marks(const iptrackd_event &wire, Event &event) {
  constexpr std::pair<__u32, Mark> marks[] = {
      {IPTRACKD_FLAG_PATH_TRUNCATED, Mark::path_truncated},
      {IPTRACKD_FLAG_DELETED, Mark::deleted},
      {IPTRACKD_FLAG_MEMFD, Mark::memfd},
      {IPTRACKD_FLAG_UNTRUSTED, Mark::untrusted},
      {IPTRACKD_FLAG_PREEXISTING, Mark::preexisting},
      {IPTRACKD_FLAG_IO_URING, Mark::io_uring},
      {IPTRACKD_FLAG_BY_KERNEL, Mark::by_kernel},
  };
  for (const auto &[flag, mark] : marks) {
    if ((wire.flags & flag) != 0) event.set(mark);
  }
}

}  // namespace

DecodeError decode(std::span<const std::byte> record, Event &event) {
  iptrackd_event wire{};
  if (record.size() < sizeof(wire)) return DecodeError::too_short;
  std::memcpy(&wire, record.data(), sizeof(wire));
  if (wire.version != IPTRACKD_WIRE_VERSION || wire.fixed_size != sizeof(wire))
    return DecodeError::wrong_version;
  if (wire.kind >= IPTRACKD_KIND_COUNT) return DecodeError::unknown_kind;

  std::string_view rest{reinterpret_cast<const char *>(record.data()) + sizeof(wire),
                        record.size() - sizeof(wire)};
  Parts parts;
  const std::pair<std::string_view *, __u32> layout[] = {
      {&parts.exe, wire.exe_size},       {&parts.cwd, wire.cwd_size},
      {&parts.cgroup, wire.cgroup_size}, {&parts.batch_cgroup, wire.batch_cgroup_size},
      {&parts.args, wire.args_size},     {&parts.environment, wire.environment_size}};
  for (const auto &[part, size] : layout) {
    if (size > rest.size()) return DecodeError::wrong_size;
    *part = rest.substr(0, size);
    rest.remove_prefix(size);
  }
  if (!rest.empty()) return DecodeError::wrong_size;

  event.kind = static_cast<Kind>(wire.kind);
  event.boot_ns = wire.boot_ns;
  if ((wire.flags & IPTRACKD_FLAG_RESULT) != 0) event.result = wire.result;
  decode_ids(wire, event);
  decode_program(wire, parts, event);
  decode_socket(wire, event);
  decode_marks(wire, event);
  if (!parts.environment.empty()) event.environment.assign(parts.environment);
  return DecodeError::none;
}

}  // namespace iptrackd::loader
