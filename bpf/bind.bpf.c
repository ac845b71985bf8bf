/* bind(): the address that the kernel gave, or the one that it refused.
 *
 * Why these hooks: cgroup/bind4 and 6 see the kernel's copy of the address, before anything is decided; the
 * exit of the call knows the result, and the socket knows the port that the kernel chose. */
#include "call.h"
#include "scratch.h"
#include "socket.h"
#include "task.h"
#include "use.h"

SEC("tp/syscalls/sys_enter_bind")
int bind_enter(struct trace_event_raw_sys_enter *context) {
  call__begin(IPTRACKD_KIND_BIND, (__u32)BPF_CORE_READ(context, args[0]), BPF_CORE_READ(context, args[1]),
              (__u32)BPF_CORE_READ(context, args[2]));
  return 0;
}

SEC("cgroup/bind4")
int bind_v4(struct bpf_sock_addr *context) {
  struct call *call = call__current();

  if (call) call__learn_v4(call, context);
  return ALLOW;
}

SEC("cgroup/bind6")
int bind_v6(struct bpf_sock_addr *context) {
  struct call *call = call__current();

  if (call) call__learn_v6(call, context);
  return ALLOW;
}

static __always_inline void event__fill_requested_local(struct iptrackd_event *event,
                                                        const struct call *call) {
  event->family = call->family;
  event->local_port = call->port;
  __builtin_memcpy(event->local, call->requested, sizeof(event->local));
  event->flags |= IPTRACKD_FLAG_LOCAL;
}

static __noinline void bind__report(struct sock *sk, const struct call *call, __s32 result) {
  struct scratch *scratch = network_scratch__take(IPTRACKD_KIND_BIND);
  struct iptrackd_event *event;

  if (!scratch) return;
  event = &scratch->event;
  event->result = result;
  event->flags |= IPTRACKD_FLAG_RESULT;
  event__fill_protocol(event, sk);
  if (result == 0) {
    event__fill_local(event, sk);
  } else if (call->sock) {
    event__fill_requested_local(event, call);
  }
  event__fill_task(scratch);
  if (result == 0) socket__use(sk, event, call->began_ns, 0);
  scratch__submit(scratch);
}

SEC("tp/syscalls/sys_exit_bind")
int bind_exit(struct trace_event_raw_sys_exit *context) {
  long result = BPF_CORE_READ(context, ret);
  struct call call;
  struct sock *sk;

  if (!call__end(&call)) return 0;
  sk = call.sock ? (struct sock *)call.sock : fd__sock(call.fd);
  if (!sk || !sock__is_ours(sk)) return 0;
  if (!(sock__protocol(sk) == IPPROTO_UDP ? want_udp_bind : want_tcp_bind)) return 0;
  bind__report(sk, &call, (__s32)result);
  return 0;
}
