/* connect(): what is asked for, and what becomes of it where no state change tells.
 *
 * Why these hooks: cgroup/connect4 and 6 run below the system call, after the address was copied from the
 * caller and before anything is decided; a call that only polls a connect under way does not reach them, nor
 * does AF_UNSPEC. TCP's outcome is told by tcp_state.bpf.c. Here, at the exit of the call: UDP, and TCP
 * refused before any SYN. */
#include "attempt.h"
#include "call.h"

SEC("tp/syscalls/sys_enter_connect")
int connect_enter(struct trace_event_raw_sys_enter *context) {
  call__begin(IPTRACKD_KIND_CONNECT, (__u32)BPF_CORE_READ(context, args[0]), BPF_CORE_READ(context, args[1]),
              (__u32)BPF_CORE_READ(context, args[2]));
  return 0;
}

SEC("cgroup/connect4")
int connect_v4(struct bpf_sock_addr *context) {
  struct call *call = call__current();

  if (call) call__learn_v4(call, context);
  return ALLOW;
}

SEC("cgroup/connect6")
int connect_v6(struct bpf_sock_addr *context) {
  struct call *call = call__current();

  if (call) call__learn_v6(call, context);
  return ALLOW;
}

/* Calls that were refused before the kernel looked at the address. EISCONN, EALREADY and the like say that an
 * attempt is under way or over: no attempt of their own. */
static __always_inline int errno__is_early_refusal(long result) {
  return result == -EINVAL || result == -EAFNOSUPPORT || result == -EACCES || result == -EPERM;
}

/* The kernel has no copy then; what the caller's memory says is marked as such. */
static __always_inline void event__fill_untrusted_remote(struct iptrackd_event *event,
                                                         const struct call *call) {
  struct sockaddr_in6 address = {};
  struct sockaddr_in *v4 = (struct sockaddr_in *)&address;

  if (call->address_size < sizeof(*v4)) return;
  if (bpf_probe_read_user(&address, sizeof(*v4), (const void *)call->address)) return;
  if (address.sin6_family == AF_INET) {
    event->family = AF_INET;
    __builtin_memcpy(event->remote, &v4->sin_addr, 4);
  } else if (address.sin6_family == AF_INET6 && call->address_size >= 24) {
    event->family = AF_INET6;
    if (bpf_probe_read_user(event->remote, 16, (const void *)(call->address + 8))) return;
  } else {
    return;
  }
  event->remote_port = bpf_ntohs(v4->sin_port);
  event->flags |= IPTRACKD_FLAG_REMOTE | IPTRACKD_FLAG_UNTRUSTED;
}

static __always_inline void event__fill_requested_remote(struct iptrackd_event *event,
                                                         const struct call *call) {
  event->family = call->family;
  event->remote_port = call->port;
  __builtin_memcpy(event->remote, call->requested, sizeof(event->remote));
  event->flags |= IPTRACKD_FLAG_REMOTE;
}

static __noinline void connect__report(struct sock *sk, const struct call *call, __s32 result) {
  struct scratch *scratch = network_scratch__take(IPTRACKD_KIND_CONNECT);
  struct iptrackd_event *event;

  if (!scratch) return;
  event = &scratch->event;
  event->began_ns = call->began_ns;
  event->result = result;
  event->flags |= IPTRACKD_FLAG_BEGAN | IPTRACKD_FLAG_RESULT;
  event__fill_protocol(event, sk);
  event__fill_local(event, sk);
  if (result == 0) {
    event__fill_remote(event, sk);
  } else if (call->sock) {
    event__fill_requested_remote(event, call);
  } else {
    event__fill_untrusted_remote(event, call);
  }
  event__fill_task(scratch);
  if (result == 0) socket__use(sk, event, call->began_ns, 0);
  scratch__submit(scratch);
}

static __always_inline int connect__is_wanted(struct sock *sk) {
  return sock__protocol(sk) == IPPROTO_UDP ? want_udp_connect : want_tcp_connect;
}

SEC("tp/syscalls/sys_exit_connect")
int connect_exit(struct trace_event_raw_sys_exit *context) {
  long result = BPF_CORE_READ(context, ret);
  struct call call;
  struct sock *sk;

  if (!call__end(&call)) return 0;
  if (!call.sock && !errno__is_early_refusal(result)) return 0;
  sk = call.sock ? (struct sock *)call.sock : fd__sock(call.fd);
  if (!sk || !sock__is_ours(sk) || !connect__is_wanted(sk)) return 0;
  if (call.attempted) {
    /* Under way, or over and reported, unless connect() failed on its way: then the errno is this call's
     * result. */
    if (result < 0 && BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_CLOSE) attempt__end(sk, (__s32)result);
    return 0;
  }
  connect__report(sk, &call, (__s32)result);
  return 0;
}
