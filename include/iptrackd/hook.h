/* The hooks: every BPF program of the kernel side, by its name in bpf/. Both sides number them alike: hits
 * are counted by that number, and the self-test tells by it which hook has seen its deed.
 *
 * Read by clang for BPF (after vmlinux.h) and by C++20.
 */
#ifndef IPTRACKD_HOOK_H
#define IPTRACKD_HOOK_H

/* clang-format off */
#define IPTRACKD_HOOKS(X)                                                                          \
  X(process_free) X(process_exit) X(process_fork)                                                  \
  X(exec_done) X(exec_opened_2) X(exec_opened_3) X(exec_failed_4) X(exec_failed_1)                 \
  X(execve_done) X(execveat_done) X(execveat_done_bare) X(compat_execve_done) X(compat_execveat_done)                    \
  X(compat_exec_exit) X(execve_enter) X(execve_exit) X(execveat_enter) X(execveat_exit)                                \
  X(socket_closed) X(socket_release)                                                               \
  X(tcp_state)                                                                                     \
  X(connect_asked) X(stream_connected) X(dgram_connected)                                          \
  X(connect_v4) X(connect_v6) X(connect_exit) X(connect_enter)                                     \
  X(bind_asked) X(bound_v4) X(bound_v6) X(bound_mptcp)                                             \
  X(bind_v4) X(bind_v6) X(bind_done_v4) X(bind_done_v6) X(bind_exit) X(bind_enter)                 \
  X(accepted) X(accepted_4)                                                                        \
  X(compat_accept_exit) X(accept_exit) X(accept4_exit)                                                                   \
  X(io_uring_completed_3) X(io_uring_completed_4) X(io_uring_completed_7)                          \
  X(old_process) X(old_socket)
/* clang-format on */

#define IPTRACKD_HOOK_NUMBER(name) IPTRACKD_HOOK_##name,
enum iptrackd_hook { IPTRACKD_HOOKS(IPTRACKD_HOOK_NUMBER) IPTRACKD_HOOK_COUNT };
#undef IPTRACKD_HOOK_NUMBER

#endif
