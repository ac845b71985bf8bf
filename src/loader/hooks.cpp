#include "loader/hooks.h"

#include <array>

namespace iptrackd::loader {
namespace {

bool always(const Probes &) {
  return true;
}
bool exec(const Probes &probes) {
  return probes.exec;
}
bool tcp(const Probes &probes) {
  return probes.tcp_connect || probes.tcp_accept || probes.tcp_bind || probes.tcp_close;
}
bool connect(const Probes &probes) {
  return probes.tcp_connect || probes.udp_connect;
}
bool bind(const Probes &probes) {
  return probes.tcp_bind || probes.udp_bind;
}
bool accept(const Probes &probes) {
  return probes.tcp_accept;
}
bool network(const Probes &probes) {
  return probes.any_network();
}

constexpr std::string_view tp = "tracepoint";

constexpr std::array hooks{
    Hook{"process_free", tp, "tp_btf/sched_process_free", "memory of processes that have ended", always},
    Hook{"process_exit", tp, "tp_btf/sched_process_exit", "tty of sockets closed by an exit", always},
    Hook{"process_fork", tp, "tp_btf/sched_process_fork", "executable of children that execute nothing",
         always},
    Hook{"exec_done", tp, "tp_btf/sched_process_exec", "exec", always},
    Hook{"execve_enter", tp, "tp/syscalls/sys_enter_execve", "failed exec", exec},
    Hook{"execve_exit", tp, "tp/syscalls/sys_exit_execve", "failed exec", exec},
    Hook{"execveat_enter", tp, "tp/syscalls/sys_enter_execveat", "failed execveat", exec},
    Hook{"execveat_exit", tp, "tp/syscalls/sys_exit_execveat", "failed execveat", exec},
    Hook{"socket_release", tp, "cgroup/sock_release", "close", network},
    Hook{"tcp_state", tp, "tp_btf/inet_sock_set_state", "TCP connect, its outcome, and byte counts", tcp},
    Hook{"connect_v4", tp, "cgroup/connect4", "address of IPv4 connects", connect},
    Hook{"connect_v6", tp, "cgroup/connect6", "address of IPv6 connects", connect},
    Hook{"connect_exit", tp, "tp/syscalls/sys_exit_connect", "UDP connect, refused TCP connect", connect},
    Hook{"connect_enter", tp, "tp/syscalls/sys_enter_connect", "UDP connect, refused TCP connect", connect},
    Hook{"bind_v4", tp, "cgroup/bind4", "address of refused IPv4 binds", bind},
    Hook{"bind_v6", tp, "cgroup/bind6", "address of refused IPv6 binds", bind},
    Hook{"bind_exit", tp, "tp/syscalls/sys_exit_bind", "bind", bind},
    Hook{"bind_enter", tp, "tp/syscalls/sys_enter_bind", "bind", bind},
    Hook{"accept_exit", tp, "tp/syscalls/sys_exit_accept", "accept", accept},
    Hook{"accept4_exit", tp, "tp/syscalls/sys_exit_accept4", "accept4", accept},
};

}  // namespace

std::span<const Hook> all_hooks() noexcept {
  return hooks;
}

}  // namespace iptrackd::loader
