/* bind(): the address that the kernel gave, or the one that it refused.
 *
 * Why these hooks: every way to bind asks security_socket_bind, with the address as the kernel copied it, and
 * then calls the protocol family's bind by pointer, whose end has the result. What the kernel binds on its
 * own asks nobody. Up to 6.5 MPTCP's bind calls that of its subflow, and the first to end is the one that is
 * reported; later it does not, so that it is hooked itself.
 *
 * Without trampolines: cgroup/bind4 and 6 see the kernel's copy of the address, before anything is decided;
 * the exit of the system call has the result. io_uring and 32-bit programs have no such exit: of theirs
 * cgroup/post_bind4 and 6 see those that succeed. */
#include "call.h"
#include "scratch.h"
#include "socket.h"
#include "task.h"
#include "use.h"
#include "whitelist.h"

static __always_inline void event__fill_requested_local(struct iptrackd_event *event,
                                                        const struct call *call) {
  event->family = call->family;
  event->local_port = call->port;
  __builtin_memcpy(event->local, call->requested, sizeof(event->local));
  event->flags |= IPTRACKD_FLAG_LOCAL;
}

static __always_inline int bind__is_wanted(struct sock *sk) {
  return sock__protocol(sk) == IPPROTO_UDP ? want_udp_bind : want_tcp_bind;
}

/* A close says how the use of its socket began. */
static __always_inline int bind__is_watched(struct sock *sk) {
  return bind__is_wanted(sk) || close__is_wanted(sock__protocol(sk));
}

/* SK has the address; USED is the socket that the caller knows: SK's MPTCP socket where SK is a subflow. */
static __noinline void bind__report(struct sock *sk, struct sock *used, const struct call *call,
                                    __s32 result) {
  struct scratch *scratch = network_scratch__take(IPTRACKD_KIND_BIND);
  struct iptrackd_event *event;

  if (!scratch) return;
  event__identify(scratch);
  event = &scratch->event;
  event->result = result;
  event->flags |= IPTRACKD_FLAG_RESULT | call->way;
  event__fill_protocol(event, sk);
  if (result == 0) {
    event__fill_local(event, sk);
  } else if (call->family) {
    event__fill_requested_local(event, call);
  }
  if (result == 0) socket__use(used, event, call->began_ns, 0);
  if (event__is_dropped(scratch, bind__is_wanted(used), event->local_port)) return;
  event__fill_task(scratch);
  scratch__submit(scratch);
}

/* fentry ------------------------------------------------------------------------------------------------- */

static __always_inline void bind__returned(struct socket *socket, int result) {
  struct call call;

  if (call__end(IPTRACKD_KIND_BIND, &call))
    bind__report(BPF_CORE_READ(socket, sk), (struct sock *)call.sock, &call, result);
}

SEC("fexit/security_socket_bind")
int BPF_PROG(bind_asked, struct socket *socket, struct sockaddr *address, int size, int refusal) {
  struct sock *sk = BPF_CORE_READ(socket, sk);
  struct call call = {.kind = IPTRACKD_KIND_BIND, .sock = (__u64)sk, .way = way__flag()};

  HOOK(bind_asked);
  if (!sk || !sock__is_ours(sk) || !bind__is_watched(sk)) return 0;
  call__learn(&call, address, size);
  call__remember(&call);
  if (refusal) bind__returned(socket, refusal);
  return 0;
}

SEC("fexit/inet_bind")
int BPF_PROG(bound_v4, struct socket *socket, struct sockaddr *address, int size, int result) {
  HOOK(bound_v4);
  bind__returned(socket, result);
  return 0;
}

SEC("fexit/inet6_bind")
int BPF_PROG(bound_v6, struct socket *socket, struct sockaddr *address, int size, int result) {
  HOOK(bound_v6);
  bind__returned(socket, result);
  return 0;
}

SEC("fexit/mptcp_bind")
int BPF_PROG(bound_mptcp, struct socket *socket, struct sockaddr *address, int size, int result) {
  HOOK(bound_mptcp);
  bind__returned(socket, result);
  return 0;
}

/* tracepoints -------------------------------------------------------------------------------------------- */

SEC("tp/syscalls/sys_enter_bind")
int bind_enter(struct trace_event_raw_sys_enter *context) {
  HOOK(bind_enter);
  call__begin(IPTRACKD_KIND_BIND, (__u32)BPF_CORE_READ(context, args[0]), BPF_CORE_READ(context, args[1]),
              (__u32)BPF_CORE_READ(context, args[2]));
  return 0;
}

SEC("cgroup/bind4")
int bind_v4(struct bpf_sock_addr *context) {
  struct call *call = call__current(IPTRACKD_KIND_BIND);

  HOOK_OR_RETURN(bind_v4, ALLOW);
  if (call) call__learn_v4(call, context);
  return ALLOW;
}

SEC("cgroup/bind6")
int bind_v6(struct bpf_sock_addr *context) {
  struct call *call = call__current(IPTRACKD_KIND_BIND);

  HOOK_OR_RETURN(bind_v6, ALLOW);
  if (call) call__learn_v6(call, context);
  return ALLOW;
}

/* SK is the context of the program; the verifier must not take it for one. */
static __always_inline void bind__succeeded(struct sock *sk) {
  struct call call = {.way = way__flag_below(), .began_ns = bpf_ktime_get_boot_ns()};
  struct sock *owner = sock__owner(sk);

  if (call__current(IPTRACKD_KIND_BIND) || task__is_kernel_thread()) return;
  if (sock__is_kernels(owner) || !sock__is_ours(owner) || !bind__is_watched(owner)) return;
  bind__report(sk, owner, &call, 0);
}

SEC("cgroup/post_bind4")
int bind_done_v4(struct bpf_sock *context) {
  __u64 sock = (__u64)context;

  HOOK_OR_RETURN(bind_done_v4, ALLOW);
  bind__succeeded((struct sock *)sock);
  return ALLOW;
}

SEC("cgroup/post_bind6")
int bind_done_v6(struct bpf_sock *context) {
  __u64 sock = (__u64)context;

  HOOK_OR_RETURN(bind_done_v6, ALLOW);
  bind__succeeded((struct sock *)sock);
  return ALLOW;
}

SEC("tp/syscalls/sys_exit_bind")
int bind_exit(struct trace_event_raw_sys_exit *context) {
  long result = BPF_CORE_READ(context, ret);
  struct call call;
  struct sock *sk;

  HOOK(bind_exit);
  if (!call__end(IPTRACKD_KIND_BIND, &call)) return 0;
  sk = call.sock ? (struct sock *)call.sock : fd__sock(call.fd);
  if (sk && sock__is_ours(sk) && bind__is_watched(sk)) bind__report(sk, sk, &call, (__s32)result);
  return 0;
}
