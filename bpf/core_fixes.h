/* Differences between kernels, each with its reason. Nothing else in bpf/ knows about versions. */
#ifndef IPTRACKD_BPF_CORE_FIXES_H
#define IPTRACKD_BPF_CORE_FIXES_H

#include "kernel.h"

/* 6.15 renamed kernfs_node.parent to __parent (633488947ef6, "kernfs: Use RCU to access
 * kernfs_node::parent"). */
struct kernfs_node___before_6_15 {
  struct kernfs_node *parent;
};
struct kernfs_node___since_6_15 {
  struct kernfs_node *__parent;
};

static __always_inline struct kernfs_node *kernfs_node__parent(struct kernfs_node *node) {
  struct kernfs_node___since_6_15 *since = (void *)node;
  struct kernfs_node___before_6_15 *before = (void *)node;

  if (bpf_core_field_exists(since->__parent)) return BPF_CORE_READ(since, __parent);
  return BPF_CORE_READ(before, parent);
}

/* 0 where the task has left its namespaces already (it is exiting). */
static __always_inline __u32 task__mount_namespace(struct task_struct *task) {
  struct mnt_namespace *namespace = BPF_CORE_READ(task, nsproxy, mnt_ns);

  return namespace ? BPF_CORE_READ(namespace, ns.inum) : 0;
}

/* Kernels without CONFIG_AUDITSYSCALL have neither field. */
static __always_inline __u32 task__loginuid(struct task_struct *task) {
  if (!bpf_core_field_exists(task->loginuid)) return IPTRACKD_UNSET;
  return BPF_CORE_READ(task, loginuid.val);
}

static __always_inline __u32 task__audit_session(struct task_struct *task) {
  if (!bpf_core_field_exists(task->sessionid)) return IPTRACKD_UNSET;
  return BPF_CORE_READ(task, sessionid);
}

/* The parameters of a 32-bit program's system call: x86 passes them in registers of its own. */
static __always_inline __u64 compat_call__parameter_1(const struct pt_regs *regs) {
#if defined(__TARGET_ARCH_x86)
  return (__u32)BPF_CORE_READ(regs, bx);
#else
  return (__u32)PT_REGS_PARM1_CORE_SYSCALL(regs);
#endif
}

static __always_inline __u64 compat_call__parameter_2(const struct pt_regs *regs) {
#if defined(__TARGET_ARCH_x86)
  return (__u32)BPF_CORE_READ(regs, cx);
#else
  return (__u32)PT_REGS_PARM2_CORE_SYSCALL(regs);
#endif
}

#endif
