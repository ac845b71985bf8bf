/* System calls under way: what their entry, the hooks that they pass, and their exit tell one another. */
#ifndef IPTRACKD_BPF_CALL_H
#define IPTRACKD_BPF_CALL_H

#include "emit.h"

#include <bpf/bpf_endian.h>

/* KIND is what is lost when the call cannot be remembered. */
static __always_inline void call__begin(__u32 kind, __u32 fd, __u64 address, __u32 address_size) {
  __u64 key = bpf_get_current_pid_tgid();
  struct call call = {
      .began_ns = bpf_ktime_get_boot_ns(),
      .fd = fd,
      .address = address,
      .address_size = address_size,
  };

  if (bpf_map_update_elem(&calls, &key, &call, BPF_ANY)) event__count(kind, IPTRACKD_CAUSE_MAP_FULL);
}

static __always_inline __u64 task__call_key(struct task_struct *task) {
  return (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)BPF_CORE_READ(task, pid);
}

/* The current task's call. bpf_get_current_pid_tgid is not for every program type; the task says the same. */
static __always_inline struct call *call__current(void) {
  __u64 key = task__call_key((struct task_struct *)bpf_get_current_task());

  return bpf_map_lookup_elem(&calls, &key);
}

/* Moves the current task's call to COPY and forgets it; 0 if there is none. */
static __always_inline int call__end(struct call *copy) {
  __u64 key = bpf_get_current_pid_tgid();
  struct call *call = bpf_map_lookup_elem(&calls, &key);

  if (!call) return 0;
  *copy = *call;
  bpf_map_delete_elem(&calls, &key);
  return 1;
}

/* The cgroup hooks of connect and bind hand us the address that the kernel copied: the call's own memory may
 * say something else by now. */
static __always_inline void call__learn_v4(struct call *call, struct bpf_sock_addr *context) {
  __u32 address = context->user_ip4;

  call->sock = (__u64)context->sk;
  call->family = AF_INET;
  call->port = bpf_ntohs((__u16)context->user_port);
  __builtin_memcpy(call->requested, &address, sizeof(address));
}

static __always_inline void call__learn_v6(struct call *call, struct bpf_sock_addr *context) {
  __u32 *address = (__u32 *)call->requested;

  call->sock = (__u64)context->sk;
  call->family = AF_INET6;
  call->port = bpf_ntohs((__u16)context->user_port);
  address[0] = context->user_ip6[0];
  address[1] = context->user_ip6[1];
  address[2] = context->user_ip6[2];
  address[3] = context->user_ip6[3];
}

#endif
