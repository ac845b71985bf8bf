/* What a struct sock says about itself. Everything here reads the kernel's copy. */
#ifndef IPTRACKD_BPF_SOCKET_H
#define IPTRACKD_BPF_SOCKET_H

#include "maps.h"

#include <bpf/bpf_endian.h>

static __always_inline __u16 port__host_order(__be16 port) {
  return bpf_ntohs(port);
}

/* MPTCP (262) is shown as what it is to the world: the lower byte is TCP's number. */
static __always_inline __u8 sock__protocol(struct sock *sk) {
  return (__u8)BPF_CORE_READ(sk, sk_protocol);
}

/* Is it a struct tcp_sock? An MPTCP socket is not; its subflows are. */
static __always_inline int sock__is_tcp(struct sock *sk) {
  return BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
}

/* The kernel's own sockets, MPTCP's subflows among them, are released without cgroup/sock_release: they must
 * not enter the table, as nobody would take them out. */
static __always_inline int sock__is_kernels(struct sock *sk) {
  return BPF_CORE_READ_BITFIELD_PROBED(sk, sk_kern_sock) != 0;
}

/* The socket that the program knows: of a subflow of MPTCP, its MPTCP socket. */
static __always_inline struct sock *sock__owner(struct sock *sk) {
  struct inet_connection_sock *connection = (struct inet_connection_sock *)sk;
  struct mptcp_subflow_context *subflow;
  const char mptcp[8] = "mptcp";
  char name[8] = {};
  struct sock *owner;

  if (!bpf_core_type_exists(struct mptcp_subflow_context)) return sk;
  if (!sock__is_tcp(sk) || !sock__is_kernels(sk)) return sk;
  BPF_CORE_READ_STR_INTO(&name, connection, icsk_ulp_ops, name);
  if (*(__u64 *)name != *(__u64 *)mptcp) return sk;
  subflow = BPF_CORE_READ(connection, icsk_ulp_data);
  owner = BPF_CORE_READ(subflow, conn);
  return owner ? owner : sk;
}

/* TCP and UDP over IP: nothing else is our business. */
static __always_inline int sock__is_ours(struct sock *sk) {
  __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
  __u8 protocol = sock__protocol(sk);

  if (family != AF_INET && family != AF_INET6) return 0;
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

/* inet_sport outlives the socket's removal from the tables (a reset connection, a refused one); skc_num does
 * not. */
static __always_inline __u16 sock__local_port(struct sock *sk) {
  struct inet_sock *inet = (struct inet_sock *)sk;
  __u16 port = port__host_order(BPF_CORE_READ(inet, inet_sport));

  return port ? port : BPF_CORE_READ(sk, __sk_common.skc_num);
}

static __always_inline void event__fill_local(struct iptrackd_event *event, struct sock *sk) {
  event->local_port = sock__local_port(sk);
  if (event->family == AF_INET6) {
    BPF_CORE_READ_INTO(&event->local, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
  } else {
    BPF_CORE_READ_INTO((__u32 *)event->local, sk, __sk_common.skc_rcv_saddr);
  }
  event->flags |= IPTRACKD_FLAG_LOCAL;
}

static __always_inline void event__fill_remote(struct iptrackd_event *event, struct sock *sk) {
  event->remote_port = port__host_order(BPF_CORE_READ(sk, __sk_common.skc_dport));
  if (event->family == AF_INET6) {
    BPF_CORE_READ_INTO(&event->remote, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
  } else {
    BPF_CORE_READ_INTO((__u32 *)event->remote, sk, __sk_common.skc_daddr);
  }
  event->flags |= IPTRACKD_FLAG_REMOTE;
}

static __always_inline void event__fill_protocol(struct iptrackd_event *event, struct sock *sk) {
  event->protocol = sock__protocol(sk);
  event->family = (__u8)BPF_CORE_READ(sk, __sk_common.skc_family);
}

/* The socket behind a file, or NULL where it is none of ours. The pointers back from sock to socket to file
 * are compared, so that no other object is taken for a socket. */
static __always_inline struct sock *file__sock(struct file *file) {
  struct socket *socket = BPF_CORE_READ(file, private_data);
  struct sock *sk;

  if (!socket || BPF_CORE_READ(socket, file) != file) return NULL;
  sk = BPF_CORE_READ(socket, sk);
  if (!sk || BPF_CORE_READ(sk, sk_socket) != socket) return NULL;
  return sock__is_ours(sk) ? sk : NULL;
}

/* The file behind a descriptor of the current task, or NULL. */
static __always_inline struct file *fd__file(__u32 fd) {
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  struct fdtable *table = BPF_CORE_READ(task, files, fdt);
  struct file **files = BPF_CORE_READ(table, fd);
  struct file *file = NULL;

  if (fd >= BPF_CORE_READ(table, max_fds)) return NULL;
  bpf_probe_read_kernel(&file, sizeof(file), files + fd);
  return file;
}

/* Its socket, or NULL. */
static __noinline struct sock *fd__sock(__u32 fd) {
  struct file *file = fd__file(fd);

  return file ? file__sock(file) : NULL;
}

#endif
