#include "loader/hooks.h"

#include <array>

namespace iptrackd::loader {
namespace {

#define PROGRAM_NAME(name) std::string_view{#name},
constexpr std::array program_names{IPTRACKD_HOOKS(PROGRAM_NAME)};
#undef PROGRAM_NAME

using enum Duty;
using enum Mechanism;

constexpr bool optional = true;

// A hook without alternatives is known by its own name.
constexpr Hook only(iptrackd_hook number, Mechanism mechanism, Duty duty, std::string_view prototypes,
                    std::string_view purpose, bool is_optional = false) {
  const auto program = program_names[number];
  return {number, program, mechanism, duty, program, prototypes, purpose, is_optional};
}

constexpr Hook one_of(std::string_view role, iptrackd_hook number, Mechanism mechanism, Duty duty,
                      std::string_view prototypes, std::string_view purpose) {
  return {number, program_names[number], mechanism, duty, role, prototypes, purpose, false};
}

// One of those that read what became of io_uring's operations.
constexpr Hook completion(iptrackd_hook number, std::string_view prototypes) {
  Hook hook =
      one_of("io_uring_completed", number, tracepoint, Duty::accept, prototypes, "accept by io_uring");
  hook.optional = true;
  return hook;
}

// What sees all system calls of the host.
constexpr Hook for_every_call(iptrackd_hook number, Duty duty, std::string_view purpose) {
  Hook hook = only(number, tracepoint, duty,
                   "void (struct pt_regs *, long int) | void (struct pt_regs *, long)", purpose);
  hook.every_call = true;
  return hook;
}

constexpr std::string_view system_call = "long int (struct pt_regs *) | long (struct pt_regs *)";
constexpr std::string_view opaque_system_call = "long int (forward pt_regs *) | long (forward pt_regs *)";
// 6.19 and later: what was struct sockaddr is struct sockaddr_unsized.
constexpr std::string_view asks_address =
    "int (struct socket *, struct sockaddr *, int) | int (struct socket *, struct sockaddr_unsized *, int)";
constexpr std::string_view takes_address_and_flags =
    "int (struct socket *, struct sockaddr *, int, int) | int (struct socket *, struct sockaddr_unsized *, "
    "int, int)";

constexpr std::array hook_table{
    only(IPTRACKD_HOOK_process_free, any, processes, "void (struct task_struct *)",
         "memory of processes that have ended"),
    // 6.16 and later tell whether the whole group is dead.
    only(IPTRACKD_HOOK_process_exit, any, processes,
         "void (struct task_struct *) | void (struct task_struct *, bool)",
         "tty of sockets closed by an exit"),
    only(IPTRACKD_HOOK_process_fork, any, processes, "void (struct task_struct *, struct task_struct *)",
         "executable of children that execute nothing"),
    only(IPTRACKD_HOOK_exec_done, any, exec, "void (struct task_struct *, pid_t, struct linux_binprm *)",
         "exec"),

    one_of("exec_opened", IPTRACKD_HOOK_exec_opened_3, fentry, failed_exec,
           "struct linux_binprm * (int, struct filename *, int)", "name of failed execs"),
    one_of("exec_opened", IPTRACKD_HOOK_exec_opened_2, fentry, failed_exec,
           "struct linux_binprm * (int, struct filename *)", "name of failed execs"),
    one_of("exec_failed", IPTRACKD_HOOK_exec_failed_1, fentry, failed_exec, "int (struct linux_binprm *)",
           "failed exec"),
    one_of("exec_failed", IPTRACKD_HOOK_exec_failed_4, fentry, failed_exec,
           "int (struct linux_binprm *, int, struct filename *, int)", "failed exec"),
    only(IPTRACKD_HOOK_execve_done, fentry, failed_exec, system_call,
         "exec with arguments that were refused"),
    one_of("execveat_done", IPTRACKD_HOOK_execveat_done, fentry, failed_exec, system_call,
           "execveat with arguments that were refused"),
    one_of("execveat_done", IPTRACKD_HOOK_execveat_done_bare, fentry, failed_exec, opaque_system_call,
           "execveat with arguments that were refused"),
    only(IPTRACKD_HOOK_compat_execve_done, fentry, failed_exec, system_call,
         "exec of a 32-bit program with arguments that were refused", optional),
    only(IPTRACKD_HOOK_compat_execveat_done, fentry, failed_exec, system_call,
         "execveat of a 32-bit program with arguments that were refused", optional),
    only(IPTRACKD_HOOK_execve_enter, tracepoint, failed_exec, "", "failed exec"),
    only(IPTRACKD_HOOK_execve_exit, tracepoint, failed_exec, "", "failed exec"),
    only(IPTRACKD_HOOK_execveat_enter, tracepoint, failed_exec, "", "failed execveat"),
    only(IPTRACKD_HOOK_execveat_exit, tracepoint, failed_exec, "", "failed execveat"),

    for_every_call(IPTRACKD_HOOK_compat_exec_exit, failed_exec, "failed exec of 32-bit programs"),

    only(IPTRACKD_HOOK_socket_closed, fentry, Duty::close, "int (struct socket *)", "close"),
    only(IPTRACKD_HOOK_socket_release, tracepoint, Duty::close, "", "close"),

    only(IPTRACKD_HOOK_tcp_state, any, tcp_state, "void (struct sock *, int, int)",
         "TCP connect, its outcome, and byte counts"),

    only(IPTRACKD_HOOK_stream_connected, fentry, Duty::connect, takes_address_and_flags,
         "refused TCP connect"),
    only(IPTRACKD_HOOK_dgram_connected, fentry, Duty::connect, takes_address_and_flags, "UDP connect"),
    only(IPTRACKD_HOOK_connect_asked, fentry, Duty::connect, asks_address,
         "UDP connect, refused TCP connect"),
    only(IPTRACKD_HOOK_connect_v4, tracepoint, Duty::connect, "", "address of IPv4 connects"),
    only(IPTRACKD_HOOK_connect_v6, tracepoint, Duty::connect, "", "address of IPv6 connects"),
    only(IPTRACKD_HOOK_connect_exit, tracepoint, Duty::connect, "", "UDP connect, refused TCP connect"),
    only(IPTRACKD_HOOK_connect_enter, tracepoint, Duty::connect, "", "UDP connect, refused TCP connect"),

    only(IPTRACKD_HOOK_bound_v4, fentry, Duty::bind, asks_address, "bind of IPv4 sockets"),
    only(IPTRACKD_HOOK_bound_v6, fentry, Duty::bind, asks_address, "bind of IPv6 sockets"),
    only(IPTRACKD_HOOK_bound_mptcp, fentry, Duty::bind, asks_address, "bind of MPTCP sockets", optional),
    only(IPTRACKD_HOOK_bind_asked, fentry, Duty::bind, asks_address, "bind"),
    only(IPTRACKD_HOOK_bind_v4, tracepoint, Duty::bind, "", "address of refused IPv4 binds"),
    only(IPTRACKD_HOOK_bind_v6, tracepoint, Duty::bind, "", "address of refused IPv6 binds"),
    only(IPTRACKD_HOOK_bind_done_v4, tracepoint, Duty::bind, "", "IPv4 bind by io_uring and 32-bit calls"),
    only(IPTRACKD_HOOK_bind_done_v6, tracepoint, Duty::bind, "", "IPv6 bind by io_uring and 32-bit calls"),
    only(IPTRACKD_HOOK_bind_exit, tracepoint, Duty::bind, "", "bind"),
    only(IPTRACKD_HOOK_bind_enter, tracepoint, Duty::bind, "", "bind"),

    one_of("accepted", IPTRACKD_HOOK_accepted, fentry, Duty::accept,
           "void (struct socket *, struct socket *, struct sock *)", "accept"),
    one_of("accepted", IPTRACKD_HOOK_accepted_4, fentry, Duty::accept,
           "int (struct socket *, struct socket *, int, bool)", "accept"),
    only(IPTRACKD_HOOK_accept_exit, tracepoint, Duty::accept, "", "accept"),
    only(IPTRACKD_HOOK_accept4_exit, tracepoint, Duty::accept, "", "accept4"),
    for_every_call(IPTRACKD_HOOK_compat_accept_exit, Duty::accept, "accept of 32-bit programs"),
    completion(IPTRACKD_HOOK_io_uring_completed_3,
               "void (struct io_ring_ctx *, void *, struct io_uring_cqe *)"),
    completion(IPTRACKD_HOOK_io_uring_completed_7,
               "void (void *, void *, u64, int, unsigned int, u64, u64) | "
               "void (struct io_ring_ctx *, void *, u64, int, unsigned int, u64, u64)"),
    completion(IPTRACKD_HOOK_io_uring_completed_4, "void (void *, u64, int, unsigned int)"),

    only(IPTRACKD_HOOK_old_process, any, processes, "", "executable of processes that are older than we"),
    only(IPTRACKD_HOOK_old_socket, any, Duty::close, "", "close of sockets that are older than we"),
};
static_assert(hook_table.size() == IPTRACKD_HOOK_COUNT, "each program of bpf/ has its line");

}  // namespace

// The close of a socket says how its use began: what begins one is watched for its close too.
bool is_wanted(Duty duty, const Probes &probes) noexcept {
  switch (duty) {
    case processes:
    case Duty::exec:
      return true;  // they keep the table of processes
    case failed_exec:
      return probes.exec;
    case Duty::close:
      return probes.any_network();
    case tcp_state:
      return probes.tcp_connect || probes.tcp_accept || probes.tcp_bind || probes.tcp_close;
    case Duty::connect:
      return probes.tcp_connect || probes.udp_connect || probes.tcp_close || probes.udp_close;
    case Duty::bind:
      return probes.tcp_bind || probes.udp_bind || probes.tcp_close || probes.udp_close;
    case Duty::accept:
      return probes.tcp_accept || probes.tcp_close;
  }
  return false;
}

std::optional<Kind> kind_of(Duty duty) noexcept {
  switch (duty) {
    case Duty::exec:
    case failed_exec:
      return Kind::exec;
    case Duty::close:
      return Kind::close;
    case tcp_state:
    case Duty::connect:
      return Kind::connect;
    case Duty::bind:
      return Kind::bind;
    case Duty::accept:
      return Kind::accept;
    case processes:
      break;
  }
  return std::nullopt;
}

std::span<const Hook> all_hooks() noexcept {
  return hook_table;
}

std::string_view HookStatus::mechanism() const noexcept {
  const std::string_view kind = std::string_view{target}.substr(0, target.find('/'));
  return kind == "tp" ? "tracepoint" : kind;
}

std::string_view HookStatus::function() const noexcept {
  return std::string_view{target}.substr(target.find('/') + 1);
}

}  // namespace iptrackd::loader
