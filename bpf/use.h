/* The use of a socket: from the first connect, accept or bind to the release; see struct used_socket. */
#ifndef IPTRACKD_BPF_USE_H
#define IPTRACKD_BPF_USE_H

#include "emit.h"
#include "socket.h"

static __always_inline int close__is_wanted(__u8 protocol) {
  return protocol == IPPROTO_UDP ? want_udp_close : want_tcp_close;
}

static __always_inline struct used_socket *socket__find(const struct sock *sk) {
  __u64 key = (__u64)sk;

  return bpf_map_lookup_elem(&sockets, &key);
}

static __always_inline void socket__forget(const struct sock *sk) {
  __u64 key = (__u64)sk;

  bpf_map_delete_elem(&sockets, &key);
}

static __always_inline void opener__learn(struct opener *opener, const struct iptrackd_event *event) {
  opener->tgid = event->tgid;
  opener->tid = event->tid;
  opener->ppid = event->ppid;
  opener->sid = event->sid;
  opener->uid = event->uid;
  opener->gid = event->gid;
  opener->euid = event->euid;
  opener->egid = event->egid;
  opener->loginuid = event->loginuid;
  opener->audit_session = event->audit_session;
  __builtin_memcpy(opener->comm, event->comm, sizeof(opener->comm));
}

/* Takes the addresses of EVENT, a connect, accept or bind that succeeded, for the close to come, and makes
 * EVENT the beginning of the use unless one stands there already. */
static __noinline void socket__use(struct sock *sk, const struct iptrackd_event *event, __u64 began_ns,
                                   __u32 flags) {
  struct used_socket *known = socket__find(sk);
  struct used_socket socket = {
      .began_ns = began_ns,
      .flags = flags,
      .local_port = event->local_port,
      .remote_port = event->remote_port,
      .protocol = event->protocol,
      .family = event->family,
  };
  __u64 key = (__u64)sk;

  if (sock__is_kernels(sk)) return;
  if (event->flags & IPTRACKD_FLAG_REMOTE) socket.flags |= SOCKET_REMOTE;
  if (event->kind == IPTRACKD_KIND_CONNECT) socket.flags |= SOCKET_OUTWARD;
  if (known && !(known->flags & SOCKET_PENDING)) {
    socket.began_ns = known->began_ns;
    socket.opener = known->opener;
    socket.flags |= known->flags & (SOCKET_FIN_SENT | SOCKET_PREEXISTING | SOCKET_USED);
    if (!(known->flags & SOCKET_UNSURE)) socket.flags |= SOCKET_USED;
  } else {
    opener__learn(&socket.opener, event);
  }
  __builtin_memcpy(socket.local, event->local, sizeof(socket.local));
  __builtin_memcpy(socket.remote, event->remote, sizeof(socket.remote));
  if (bpf_map_update_elem(&sockets, &key, &socket, BPF_ANY)) {
    event__count(IPTRACKD_KIND_CLOSE, IPTRACKD_CAUSE_MAP_FULL);
  }
}

#endif
