/* accept() and accept4(): a connection is handed out. A call that returns without one is no accept.
 *
 * Why these hooks: all ways to accept end in __inet_accept (6.1 and later; plain TCP clients of MPTCP
 * listeners too) or inet_accept, which know the new socket.
 *
 * Without trampolines the returned descriptor has to be looked up. Another thread may have closed it and
 * opened another by now; so only a socket that tcp_state.bpf.c saw come out of a listener, and that nobody
 * has accepted yet, is believed. io_uring tells the descriptor with the completion; where there is none, or
 * no descriptor, the close of the socket counts the accept as missed. */
#include "compat.h"
#include "scratch.h"
#include "socket.h"
#include "task.h"
#include "use.h"
#include "whitelist.h"

/* A close says how the use of its socket began. */
static __always_inline int accept__is_watched(void) {
  return want_tcp_accept || want_tcp_close;
}

static __noinline void accept__report(struct sock *sk, __u32 way) {
  struct scratch *scratch = network_scratch__take(IPTRACKD_KIND_ACCEPT);
  struct iptrackd_event *event;

  if (!scratch) return;
  event = &scratch->event;
  event->flags |= IPTRACKD_FLAG_RESULT | way;
  event__identify(scratch);
  event__fill_protocol(event, sk);
  event__fill_local(event, sk);
  event__fill_remote(event, sk);
  socket__use(sk, event, event->boot_ns, SOCKET_STREAM);
  if (event__is_dropped(scratch, want_tcp_accept, event->local_port)) return;
  event__fill_task(scratch);
  scratch__submit(scratch);
}

/* fentry ------------------------------------------------------------------------------------------------- */

/* What a kernel thread accepts is the kernel's own; no system call would show it either. */
static __always_inline void accept__done(struct sock *sk) {
  if (!sk || !accept__is_watched() || task__is_kernel_thread()) return;
  if (sock__is_ours(sk) && sock__protocol(sk) == IPPROTO_TCP) accept__report(sk, way__flag());
}

SEC("fexit/__inet_accept")
int BPF_PROG(accepted, struct socket *listener, struct socket *socket, struct sock *sk) {
  HOOK(accepted);
  accept__done(sk);
  return 0;
}

SEC("fexit/inet_accept")
int BPF_PROG(accepted_4, struct socket *listener, struct socket *socket, int flags, bool kern, int result) {
  HOOK(accepted_4);
  if (result == 0) accept__done(BPF_CORE_READ(socket, sk));
  return 0;
}

/* tracepoints -------------------------------------------------------------------------------------------- */

static __always_inline void accept__returned(long result) {
  struct used_socket *socket;
  struct sock *sk;

  if (result < 0 || !accept__is_watched()) return;
  sk = fd__sock((__u32)result);
  if (!sk || sock__protocol(sk) != IPPROTO_TCP) return;
  socket = socket__find(sk);
  if (socket && !(socket->flags & SOCKET_PENDING)) {
    if (want_tcp_accept) event__count(IPTRACKD_KIND_ACCEPT, IPTRACKD_CAUSE_FD_RACED);
    return;
  }
  accept__report(sk, 0);
}

SEC("tp/syscalls/sys_exit_accept")
int accept_exit(struct trace_event_raw_sys_exit *context) {
  HOOK(accept_exit);
  accept__returned(BPF_CORE_READ(context, ret));
  return 0;
}

SEC("tp/syscalls/sys_exit_accept4")
int accept4_exit(struct trace_event_raw_sys_exit *context) {
  HOOK(accept4_exit);
  accept__returned(BPF_CORE_READ(context, ret));
  return 0;
}

/* Of the 32-bit table, by int 0x80 or from x32. */
SEC("tp_btf/sys_exit")
int BPF_PROG(compat_accept_exit, struct pt_regs *registers, long result) {
  struct compat_call call;

  if (!compat_call__read(registers, &call)) return 0;
  HOOK(compat_accept_exit);
  if (compat_call__is_accept(&call)) accept__returned(result);
  return 0;
}

/* A number may be anything that an operation returns: only that of a socket that a listener has taken on and
 * nobody has accepted can be an accept's. */
static __always_inline void accept__completed(long result) {
  struct used_socket *socket;
  struct sock *sk;

  if (result < 0 || !accept__is_watched()) return;
  sk = fd__sock((__u32)result);
  socket = sk ? socket__find(sk) : NULL;
  if (socket && (socket->flags & SOCKET_PENDING)) accept__report(sk, IPTRACKD_FLAG_IO_URING);
}

/* A multishot accept completes without its request. */
static __always_inline int request__may_accept(struct io_kiocb *request) {
  return !request || BPF_CORE_READ(request, opcode) == IORING_OP_ACCEPT;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(io_uring_completed_4, void *ring, __u64 user_data, int result) {
  HOOK(io_uring_completed_4);
  accept__completed(result);
  return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(io_uring_completed_7, void *ring, void *request, __u64 user_data, int result) {
  HOOK(io_uring_completed_7);
  if (request__may_accept(request)) accept__completed(result);
  return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(io_uring_completed_3, void *ring, void *request, struct io_uring_cqe *completion) {
  HOOK(io_uring_completed_3);
  if (request__may_accept(request)) accept__completed(BPF_CORE_READ(completion, res));
  return 0;
}
