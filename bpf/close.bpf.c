/* The last close of a socket that was connected, accepted or bound.
 *
 * Why these hooks: inet_release, and without trampolines cgroup/sock_release, which it calls, run when the
 * socket itself goes, once, whoever held the last descriptor and however it went: close, exit, SIGKILL, dup2,
 * a passed descriptor. The addresses are in our table, and the socket's counters can still be read. */
#include "scratch.h"
#include "socket.h"
#include "task.h"
#include "use.h"
#include "whitelist.h"

/* Payload each way. The stream's sequence numbers count SYN and FIN as a byte each; what is not yet
 * acknowledged was sent all the same; write_seq - snd_una is right across the wrap, and the 64-bit counters
 * do not wrap. */
static __always_inline void event__fill_bytes(struct iptrackd_event *event, struct sock *sk,
                                              const struct used_socket *socket) {
  struct tcp_sock *tcp = (struct tcp_sock *)sk;
  unsigned long sock_flags = BPF_CORE_READ(sk, __sk_common.skc_flags);
  __u32 unacknowledged = BPF_CORE_READ(tcp, write_seq) - BPF_CORE_READ(tcp, snd_una);
  __u64 sent = BPF_CORE_READ(tcp, bytes_acked) + unacknowledged;
  __u64 received = BPF_CORE_READ(tcp, bytes_received);

  if ((socket->flags & SOCKET_ACTIVE) && sent) sent--; /* our SYN; a listener's is not counted */
  if ((socket->flags & SOCKET_FIN_SENT) && sent) sent--;
  if ((sock_flags & (1UL << SOCK_DONE)) && received) received--; /* the peer's FIN */
  event->bytes_sent = sent;
  event->bytes_received = received;
  event->flags |= IPTRACKD_FLAG_BYTES;
}

static __always_inline void event__fill_use(struct iptrackd_event *event, const struct used_socket *socket) {
  event->protocol = socket->protocol;
  event->family = socket->family;
  event->local_port = socket->local_port;
  event->remote_port = socket->remote_port;
  __builtin_memcpy(event->local, socket->local, sizeof(event->local));
  __builtin_memcpy(event->remote, socket->remote, sizeof(event->remote));
  event->flags |= IPTRACKD_FLAG_RESULT | IPTRACKD_FLAG_LOCAL;
  if (socket->flags & SOCKET_REMOTE) event->flags |= IPTRACKD_FLAG_REMOTE;
  if (socket->flags & SOCKET_PREEXISTING) {
    event->flags |= IPTRACKD_FLAG_PREEXISTING;
  } else {
    event->began_ns = socket->began_ns;
    event->opener = socket->opener.tgid;
    event->flags |= IPTRACKD_FLAG_BEGAN | IPTRACKD_FLAG_OPENER;
  }
}

/* The kernel's own thread says nothing about anybody: whose socket it was, the opener tells. */
static __always_inline void event__fill_opener(struct scratch *scratch, const struct used_socket *socket) {
  const struct opener *opener = &socket->opener;
  struct iptrackd_event *event = &scratch->event;
  struct process *process = bpf_map_lookup_elem(&processes, &opener->tgid);

  event->tgid = opener->tgid;
  event->tid = opener->tid;
  event->ppid = opener->ppid;
  event->sid = opener->sid;
  event->uid = opener->uid;
  event->gid = opener->gid;
  event->euid = opener->euid;
  event->egid = opener->egid;
  event->loginuid = opener->loginuid;
  event->audit_session = opener->audit_session;
  __builtin_memcpy(event->comm, opener->comm, sizeof(event->comm));
  if (process && process->start_ns <= socket->began_ns) {
    event__fill_program(event, process);
    event__fill_known_exe(scratch, process);
  }
}

static __always_inline int sock__is_connected(struct sock *sk) {
  return BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_ESTABLISHED;
}

/* What the socket itself says: a connect that fails leaves it as it was, with a peer or without. */
static __always_inline void event__fill_ends(struct iptrackd_event *event, struct sock *sk) {
  event__fill_local(event, sk);
  if (sock__is_connected(sk)) {
    event__fill_remote(event, sk);
  } else {
    event->flags &= ~IPTRACKD_FLAG_REMOTE;
  }
}

/* The port of the service that the socket was opened for. Of a connection that is older than we nobody knows
 * which end that is: 0. */
static __always_inline __u16 close__service_port(const struct iptrackd_event *event,
                                                 const struct used_socket *socket) {
  if (!(event->flags & IPTRACKD_FLAG_REMOTE)) return event->local_port;
  if (socket->flags & SOCKET_OUTWARD) return event->remote_port;
  return socket->flags & SOCKET_PREEXISTING ? 0 : event->local_port;
}

static __noinline void close__report(struct sock *sk, const struct used_socket *socket) {
  struct scratch *scratch = network_scratch__take(IPTRACKD_KIND_CLOSE);
  __u32 way = way__flag_of_close();
  int is_openers = (way & IPTRACKD_FLAG_BY_KERNEL) && socket->opener.tgid;

  if (!scratch) return;
  if (is_openers) {
    event__fill_opener(scratch, socket);
  } else {
    event__identify(scratch);
  }
  scratch->event.flags |= way;
  event__fill_use(&scratch->event, socket);
  if (socket->flags & SOCKET_UNSURE) event__fill_ends(&scratch->event, sk);
  if ((socket->flags & SOCKET_STREAM) && sock__is_tcp(sk)) event__fill_bytes(&scratch->event, sk, socket);
  if (event__is_dropped(scratch, 1, close__service_port(&scratch->event, socket))) return;
  if (!is_openers) event__fill_task(scratch);
  scratch__submit(scratch);
}

/* A connect of which we could not know whether it succeeded, and it did not, and nothing else was done. */
static __always_inline int socket__was_never_used(struct sock *sk, const struct used_socket *socket) {
  return (socket->flags & SOCKET_UNSURE) && !(socket->flags & SOCKET_USED) && !sock__is_connected(sk);
}

/* SK is the socket that is released; it serves as key, and is read through only as the table gives it back.
 */
static __always_inline void socket__released(struct sock *sk) {
  struct used_socket *known = socket__find(sk);
  struct used_socket socket;

  if (!known) return;
  socket = *known;
  socket__forget(sk);
  if (socket__was_never_used(sk, &socket)) return;
  if (socket.flags & SOCKET_PENDING) {
    if (want_tcp_accept) event__count(IPTRACKD_KIND_ACCEPT, IPTRACKD_CAUSE_UNSEEN);
    if (want_tcp_close) event__count(IPTRACKD_KIND_CLOSE, IPTRACKD_CAUSE_UNSEEN);
  } else if (close__is_wanted(socket.protocol)) {
    close__report(sk, &socket);
  }
}

SEC("fentry/inet_release")
int BPF_PROG(socket_closed, struct socket *socket) {
  struct sock *sk = BPF_CORE_READ(socket, sk);

  HOOK(socket_closed);
  if (sk) socket__released(sk);
  return 0;
}

SEC("cgroup/sock_release")
int socket_release(struct bpf_sock *context) {
  __u64 sock = (__u64)context; /* the context is the struct sock; the verifier must not take it for one */

  HOOK_OR_RETURN(socket_release, ALLOW);
  socket__released((struct sock *)sock);
  return ALLOW;
}
