/* accept() and accept4(): a connection is handed out. A call that returns without one is no accept.
 *
 * Why this hook: where trampolines are refused nothing in inet_accept can be hooked, so the returned
 * descriptor has to be looked up. Another thread may have closed it and opened another by now; so only a
 * socket that tcp_state.bpf.c saw come out of a listener, and that nobody has accepted yet, is believed. */
#include "scratch.h"
#include "socket.h"
#include "task.h"
#include "use.h"

static __noinline void accept__report(struct sock *sk) {
  struct scratch *scratch = network_scratch__take(IPTRACKD_KIND_ACCEPT);
  struct iptrackd_event *event;

  if (!scratch) return;
  event = &scratch->event;
  event->flags |= IPTRACKD_FLAG_RESULT;
  event__fill_protocol(event, sk);
  event__fill_local(event, sk);
  event__fill_remote(event, sk);
  event__fill_task(scratch);
  socket__use(sk, event, event->boot_ns, SOCKET_STREAM);
  scratch__submit(scratch);
}

static __always_inline void accept__returned(long result) {
  struct used_socket *socket;
  struct sock *sk;

  if (result < 0 || !want_tcp_accept) return;
  sk = fd__sock((__u32)result);
  if (!sk || sock__protocol(sk) != IPPROTO_TCP) return;
  socket = socket__find(sk);
  if (socket && !(socket->flags & SOCKET_PENDING)) {
    event__count(IPTRACKD_KIND_ACCEPT, IPTRACKD_CAUSE_FD_RACED);
    return;
  }
  accept__report(sk);
}

SEC("tp/syscalls/sys_exit_accept")
int accept_exit(struct trace_event_raw_sys_exit *context) {
  accept__returned(BPF_CORE_READ(context, ret));
  return 0;
}

SEC("tp/syscalls/sys_exit_accept4")
int accept4_exit(struct trace_event_raw_sys_exit *context) {
  accept__returned(BPF_CORE_READ(context, ret));
  return 0;
}
