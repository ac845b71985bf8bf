/* connect(): what is asked for, and what becomes of it where no state change tells.
 *
 * Why these hooks: every way to connect (system call, 32-bit, io_uring) asks security_socket_connect, with
 * the address as the kernel copied it, and then calls inet_stream_connect or inet_dgram_connect, which nobody
 * inlines as they are reached by pointer. What the kernel connects on its own asks nobody. A call that only
 * polls a connect under way is told by the state of its socket.
 *
 * Without trampolines: cgroup/connect4 and 6 see the kernel's copy of the address, below the system call; a
 * call that only polls does not reach them, nor does AF_UNSPEC. The exit of the system call has the result;
 * io_uring and 32-bit programs have no such exit.
 *
 * TCP's outcome is told by tcp_state.bpf.c. Here: UDP, and TCP refused before any SYN. */
#include "attempt.h"
#include "call.h"

static __always_inline void event__fill_requested_remote(struct iptrackd_event *event,
                                                         const struct call *call) {
  event->family = call->family;
  event->remote_port = call->port;
  __builtin_memcpy(event->remote, call->requested, sizeof(event->remote));
  event->flags |= IPTRACKD_FLAG_REMOTE;
}

/* The kernel has no copy, or we were not shown it; what the caller's memory says is marked as such. */
static __always_inline void event__fill_untrusted_remote(struct iptrackd_event *event,
                                                         const struct call *call) {
  struct sockaddr_in6 address = {};
  struct sockaddr_in *v4 = (struct sockaddr_in *)&address;

  if (!call->address || call->address_size < sizeof(*v4)) return;
  if (bpf_probe_read_user(&address, sizeof(*v4), (const void *)call->address)) return;
  if (address.sin6_family == AF_INET) {
    event->family = AF_INET;
    __builtin_memcpy(event->remote, &v4->sin_addr, 4);
  } else if (address.sin6_family == AF_INET6 && call->address_size >= SIN6_LEN_RFC2133) {
    event->family = AF_INET6;
    if (bpf_probe_read_user(event->remote, 16, (const void *)(call->address + 8))) return;
  } else {
    return;
  }
  event->remote_port = bpf_ntohs(v4->sin_port);
  event->flags |= IPTRACKD_FLAG_REMOTE | IPTRACKD_FLAG_UNTRUSTED;
}

static __always_inline int connect__is_wanted(struct sock *sk) {
  return sock__protocol(sk) == IPPROTO_UDP ? want_udp_connect : want_tcp_connect;
}

/* A close says how the use of its socket began. */
static __always_inline int connect__is_watched(struct sock *sk) {
  return connect__is_wanted(sk) || close__is_wanted(sock__protocol(sk));
}

static __noinline void connect__report(struct sock *sk, const struct call *call, __s32 result) {
  struct scratch *scratch = network_scratch__take(IPTRACKD_KIND_CONNECT);
  struct iptrackd_event *event;

  if (!scratch) return;
  event__identify(scratch);
  event = &scratch->event;
  event->began_ns = call->began_ns;
  event->result = result;
  event->flags |= IPTRACKD_FLAG_BEGAN | IPTRACKD_FLAG_RESULT | call->way;
  event__fill_protocol(event, sk);
  event__fill_local(event, sk);
  if (result == 0) {
    event__fill_remote(event, sk);
  } else if (call->family) {
    event__fill_requested_remote(event, call);
  } else {
    event__fill_untrusted_remote(event, call);
  }
  if (result == 0) socket__use(sk, event, call->began_ns, 0);
  if (event__is_dropped(scratch, connect__is_wanted(sk), event->remote_port)) return;
  event__fill_task(scratch);
  scratch__submit(scratch);
}

/* An attempt is under way, or over and reported, unless connect() failed on its way: then the errno is this
 * call's result. */
static __always_inline void connect__ended(struct sock *sk, const struct call *call, __s32 result) {
  struct sock *attempt = (struct sock *)call->attempt;

  if (!attempt) {
    connect__report(sk, call, result);
  } else if (result < 0 && BPF_CORE_READ(attempt, __sk_common.skc_state) == TCP_CLOSE) {
    attempt__end(attempt, result);
  }
}

/* fentry ------------------------------------------------------------------------------------------------- */

static __always_inline int address__is_unspecified(const struct sockaddr *address, int size) {
  return size >= (int)sizeof(address->sa_family) && BPF_CORE_READ(address, sa_family) == AF_UNSPEC;
}

/* Neither under way nor connected nor listening. */
static __always_inline int socket__can_connect(struct socket *socket, struct sock *sk) {
  return BPF_CORE_READ(socket, state) == SS_UNCONNECTED &&
         BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_CLOSE;
}

static __always_inline void connect__returned(int result) {
  struct call call;

  if (call__end(IPTRACKD_KIND_CONNECT, &call)) connect__ended((struct sock *)call.sock, &call, result);
}

SEC("fexit/security_socket_connect")
int BPF_PROG(connect_asked, struct socket *socket, struct sockaddr *address, int size, int refusal) {
  struct sock *sk = BPF_CORE_READ(socket, sk);
  struct call call = {.kind = IPTRACKD_KIND_CONNECT, .sock = (__u64)sk, .way = way__flag()};

  HOOK(connect_asked);
  if (!sk || !sock__is_ours(sk) || !connect__is_watched(sk)) return 0;
  if (sock__protocol(sk) == IPPROTO_TCP && !socket__can_connect(socket, sk)) return 0;
  if (address__is_unspecified(address, size)) return 0;
  call__learn(&call, address, size);
  call__remember(&call);
  if (refusal) connect__returned(refusal);
  return 0;
}

SEC("fexit/inet_stream_connect")
int BPF_PROG(stream_connected, struct socket *socket, struct sockaddr *address, int size, int flags,
             int result) {
  HOOK(stream_connected);
  connect__returned(result);
  return 0;
}

SEC("fexit/inet_dgram_connect")
int BPF_PROG(dgram_connected, struct socket *socket, struct sockaddr *address, int size, int flags,
             int result) {
  HOOK(dgram_connected);
  connect__returned(result);
  return 0;
}

/* tracepoints -------------------------------------------------------------------------------------------- */

SEC("tp/syscalls/sys_enter_connect")
int connect_enter(struct trace_event_raw_sys_enter *context) {
  HOOK(connect_enter);
  call__begin(IPTRACKD_KIND_CONNECT, (__u32)BPF_CORE_READ(context, args[0]), BPF_CORE_READ(context, args[1]),
              (__u32)BPF_CORE_READ(context, args[2]));
  return 0;
}

/* The call did not begin as a system call of 64 bits: of TCP the state changes tell, of UDP nothing else
 * will. Whether it succeeds we shall not know. */
static __always_inline void connect__report_unsure(const struct call *call) {
  struct sock *sk = (struct sock *)call->sock;
  struct scratch *scratch;

  if (sock__protocol(sk) != IPPROTO_UDP || !connect__is_watched(sk)) return;
  if (sock__is_kernels(sk) || task__is_kernel_thread()) return;
  scratch = network_scratch__take(IPTRACKD_KIND_CONNECT);
  if (!scratch) return;
  event__identify(scratch);
  scratch->event.flags |= way__flag_below();
  event__fill_protocol(&scratch->event, sk);
  event__fill_requested_remote(&scratch->event, call);
  socket__use(sk, &scratch->event, scratch->event.boot_ns, SOCKET_UNSURE);
  if (event__is_dropped(scratch, want_udp_connect, scratch->event.remote_port)) return;
  event__fill_task(scratch);
  scratch__submit(scratch);
}

SEC("cgroup/connect4")
int connect_v4(struct bpf_sock_addr *context) {
  struct call *call = call__current(IPTRACKD_KIND_CONNECT);
  struct call other = {};

  HOOK_OR_RETURN(connect_v4, ALLOW);
  call__learn_v4(call ? call : &other, context);
  if (!call) connect__report_unsure(&other);
  return ALLOW;
}

SEC("cgroup/connect6")
int connect_v6(struct bpf_sock_addr *context) {
  struct call *call = call__current(IPTRACKD_KIND_CONNECT);
  struct call other = {};

  HOOK_OR_RETURN(connect_v6, ALLOW);
  call__learn_v6(call ? call : &other, context);
  if (!call) connect__report_unsure(&other);
  return ALLOW;
}

/* Calls that were refused before the kernel looked at the address. EISCONN, EALREADY and the like say that an
 * attempt is under way or over: no attempt of their own. */
static __always_inline int errno__is_early_refusal(long result) {
  return result == -EINVAL || result == -EAFNOSUPPORT || result == -EACCES || result == -EPERM;
}

SEC("tp/syscalls/sys_exit_connect")
int connect_exit(struct trace_event_raw_sys_exit *context) {
  long result = BPF_CORE_READ(context, ret);
  struct call call;
  struct sock *sk;

  HOOK(connect_exit);
  if (!call__end(IPTRACKD_KIND_CONNECT, &call)) return 0;
  if (!call.sock && !errno__is_early_refusal(result)) return 0;
  sk = call.sock ? (struct sock *)call.sock : fd__sock(call.fd);
  if (!sk || !sock__is_ours(sk) || !connect__is_watched(sk)) return 0;
  /* Read again, as the verifier knows of the first what it was compared with, and would follow each errno
   * apart. */
  connect__ended(sk, &call, (__s32)BPF_CORE_READ(context, ret));
  return 0;
}
