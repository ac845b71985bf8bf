/* Calls under way: what their beginning, the hooks that they pass, and their end tell one another. */
#ifndef IPTRACKD_BPF_CALL_H
#define IPTRACKD_BPF_CALL_H

#include "socket.h"
#include "way.h"

#include <bpf/bpf_endian.h>

static __always_inline __u64 task__call_key(struct task_struct *task) {
  return (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)BPF_CORE_READ(task, pid);
}

static __always_inline void call__remember(struct call *call) {
  __u64 key = bpf_get_current_pid_tgid();

  call->began_ns = bpf_ktime_get_boot_ns();
  if (bpf_map_update_elem(&calls, &key, call, BPF_ANY)) event__count(call->kind, IPTRACKD_CAUSE_MAP_FULL);
}

/* The current task's call of KIND, or NULL. bpf_get_current_pid_tgid is not for every program type; the task
 * says the same. */
static __always_inline struct call *call__current(__u32 kind) {
  __u64 key = task__call_key((struct task_struct *)bpf_get_current_task());
  struct call *call = bpf_map_lookup_elem(&calls, &key);

  return call && call->kind == kind ? call : NULL;
}

/* Moves the current task's call of KIND to COPY and forgets it; 0 if there is none. */
static __always_inline int call__end(__u32 kind, struct call *copy) {
  __u64 key = bpf_get_current_pid_tgid();
  struct call *call = bpf_map_lookup_elem(&calls, &key);

  if (!call || call->kind != kind) return 0;
  *copy = *call;
  bpf_map_delete_elem(&calls, &key);
  return 1;
}

/* A task that is gone: its call may have ended without a hook (an exec that the kernel itself began). */
static __always_inline void call__forget(struct task_struct *task) {
  __u64 key = task__call_key(task);

  bpf_map_delete_elem(&calls, &key);
}

/* The beginning of a call as its system call's entry has it: DESCRIPTOR, and a pointer of the caller's. */
static __always_inline void call__begin(__u32 kind, __u32 fd, __u64 address, __u32 address_size) {
  struct call call = {.kind = kind, .fd = fd, .address = address, .address_size = address_size};

  call__remember(&call);
}

/* The kernel's copy of an address. Nothing is learnt where it is too short for its family. */
static __always_inline void call__learn(struct call *call, const void *address, int size) {
  struct sockaddr_in6 copy = {};
  struct sockaddr_in *v4 = (struct sockaddr_in *)&copy;

  if (size < (int)sizeof(*v4) || bpf_probe_read_kernel(&copy, sizeof(copy), address)) return;
  if (copy.sin6_family == AF_INET) {
    __builtin_memcpy(call->requested, &v4->sin_addr, 4);
  } else if (copy.sin6_family == AF_INET6 && size >= SIN6_LEN_RFC2133) {
    __builtin_memcpy(call->requested, &copy.sin6_addr, 16);
  } else {
    return;
  }
  call->family = (__u8)copy.sin6_family;
  call->port = bpf_ntohs(copy.sin6_port);
}

/* The context's socket as a number: the verifier forbids to compute with the pointer itself. */
static __always_inline struct sock *context__sock(struct bpf_sock_addr *context) {
  struct bpf_sock *pointer = context->sk;
  __u64 number = 0;

  bpf_probe_read_kernel(&number, sizeof(number), &pointer);
  return (struct sock *)number;
}

/* The same from the cgroup hooks of connect and bind: the call's own memory may say something else by now. */
static __always_inline void call__learn_v4(struct call *call, struct bpf_sock_addr *context) {
  __u32 address = context->user_ip4;

  call->sock = (__u64)sock__owner(context__sock(context));
  call->family = AF_INET;
  call->port = bpf_ntohs((__u16)context->user_port);
  __builtin_memcpy(call->requested, &address, sizeof(address));
}

static __always_inline void call__learn_v6(struct call *call, struct bpf_sock_addr *context) {
  __u32 *address = (__u32 *)call->requested;

  call->sock = (__u64)sock__owner(context__sock(context));
  call->family = AF_INET6;
  call->port = bpf_ntohs((__u16)context->user_port);
  address[0] = context->user_ip6[0];
  address[1] = context->user_ip6[1];
  address[2] = context->user_ip6[2];
  address[3] = context->user_ip6[3];
}

#endif
