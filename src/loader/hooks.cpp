#include "loader/hooks.h"

#include <array>

namespace iptrackd::loader {
namespace {

bool always(const Probes &) {
  return true;
}
bool wants_exec(const Probes &probes) {
  return probes.exec;
}
bool wants_tcp(const Probes &probes) {
  return probes.tcp_connect || probes.tcp_accept || probes.tcp_bind || probes.tcp_close;
}
bool wants_connect(const Probes &probes) {
  return probes.tcp_connect || probes.udp_connect;
}
bool wants_bind(const Probes &probes) {
  return probes.tcp_bind || probes.udp_bind;
}
bool wants_accept(const Probes &probes) {
  return probes.tcp_accept;
}
bool wants_network(const Probes &probes) {
  return probes.any_network();
}

constexpr std::string_view tp = "tracepoint";

constexpr std::array hook_table{
    Hook{"process_free", tp, "tp_btf/sched_process_free", "memory of processes that have ended", always},
    Hook{"process_exit", tp, "tp_btf/sched_process_exit", "tty of sockets closed by an exit", always},
    Hook{"process_fork", tp, "tp_btf/sched_process_fork", "executable of children that execute nothing",
         always},
    Hook{"exec_done", tp, "tp_btf/sched_process_exec", "exec", always},
    Hook{"execve_enter", tp, "tp/syscalls/sys_enter_execve", "failed exec", wants_exec},
    Hook{"execve_exit", tp, "tp/syscalls/sys_exit_execve", "failed exec", wants_exec},
    Hook{"execveat_enter", tp, "tp/syscalls/sys_enter_execveat", "failed execveat", wants_exec},
    Hook{"execveat_exit", tp, "tp/syscalls/sys_exit_execveat", "failed execveat", wants_exec},
    Hook{"socket_release", tp, "cgroup/sock_release", "close", wants_network},
    Hook{"tcp_state", tp, "tp_btf/inet_sock_set_state", "TCP connect, its outcome, and byte counts",
         wants_tcp},
    Hook{"connect_v4", tp, "cgroup/connect4", "address of IPv4 connects", wants_connect},
    Hook{"connect_v6", tp, "cgroup/connect6", "address of IPv6 connects", wants_connect},
    Hook{"connect_exit", tp, "tp/syscalls/sys_exit_connect", "UDP connect, refused TCP connect",
         wants_connect},
    Hook{"connect_enter", tp, "tp/syscalls/sys_enter_connect", "UDP connect, refused TCP connect",
         wants_connect},
    Hook{"bind_v4", tp, "cgroup/bind4", "address of refused IPv4 binds", wants_bind},
    Hook{"bind_v6", tp, "cgroup/bind6", "address of refused IPv6 binds", wants_bind},
    Hook{"bind_exit", tp, "tp/syscalls/sys_exit_bind", "bind", wants_bind},
    Hook{"bind_enter", tp, "tp/syscalls/sys_enter_bind", "bind", wants_bind},
    Hook{"accept_exit", tp, "tp/syscalls/sys_exit_accept", "accept", wants_accept},
    Hook{"accept4_exit", tp, "tp/syscalls/sys_exit_accept4", "accept4", wants_accept},
};

}  // namespace

std::span<const Hook> all_hooks() noexcept {
  return hook_table;
}

}  // namespace iptrackd::loader
