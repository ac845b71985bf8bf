/* The state changes of TCP sockets, seen by every way in: system calls, io_uring, 32-bit calls, the kernel
 * itself.
 *
 * Why this hook: CLOSE -> SYN_SENT runs in the task that asked, once per attempt; SYN_SENT -> ESTABLISHED or
 * CLOSE tells the true outcome, from a softirq, however late. On loopback that is before connect() has even
 * returned. */
#include "attempt.h"
#include "call.h"

/* A refusal, a timeout or a reset leave their errno in the socket. None there: either connect() itself failed
 * on its way (no free port), and its end knows the errno, or the socket was closed before any answer came. */
static __always_inline int attempt__fail(struct sock *sk) {
  int error = BPF_CORE_READ(sk, sk_err);
  struct call *call;

  if (!attempt__is_open(sk)) return 0;
  call = call__current(IPTRACKD_KIND_CONNECT);
  if (error || !call || call->attempt != (__u64)sk) attempt__end(sk, error ? -error : -ECONNABORTED);
  return 1;
}

/* A connection that a listener has taken on; accept() has still to hand it out. */
static __always_inline void socket__await_accept(struct sock *sk) {
  struct used_socket socket = {.flags = SOCKET_PENDING};
  __u64 key = (__u64)sk;

  if (!sock__is_kernels(sk)) bpf_map_update_elem(&sockets, &key, &socket, BPF_NOEXIST);
}

static __always_inline void socket__note_fin(struct sock *sk) {
  struct used_socket *socket = socket__find(sk);

  if (socket) socket->flags |= SOCKET_FIN_SENT;
}

/* Its listener was closed, or it was reset in the queue: nobody will accept it. */
static __always_inline void socket__drop_pending(struct sock *sk) {
  struct used_socket *socket = socket__find(sk);

  if (socket && (socket->flags & SOCKET_PENDING) && !BPF_CORE_READ(sk, sk_socket)) socket__forget(sk);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_state, struct sock *sk, int old_state, int new_state) {
  HOOK(tcp_state);
  if (!sock__is_tcp(sk)) return 0;
  if (new_state == TCP_SYN_SENT) {
    if ((want_tcp_connect || want_tcp_close) && !task__is_kernel_thread()) attempt__begin(sk);
  } else if (new_state == TCP_ESTABLISHED) {
    /* A simultaneous open goes through SYN_RECV as well: it is told from an accepted connection by its
     * attempt. */
    if (!attempt__end(sk, 0) && old_state == TCP_SYN_RECV) socket__await_accept(sk);
  } else if (new_state == TCP_CLOSE) {
    if (!attempt__fail(sk)) socket__drop_pending(sk);
  } else if (new_state == TCP_FIN_WAIT1 || new_state == TCP_LAST_ACK) {
    socket__note_fin(sk);
  }
  return 0;
}
