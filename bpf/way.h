/* By which way the current task came here: its own system call, or io_uring. */
#ifndef IPTRACKD_BPF_WAY_H
#define IPTRACKD_BPF_WAY_H

#include "emit.h"

static __always_inline struct task_struct *task__current(void) {
  return (struct task_struct *)bpf_get_current_task();
}

static __always_inline int task__is_kernel_thread(void) {
  return BPF_CORE_READ(task__current(), flags) & PF_KTHREAD;
}

/* The registers with which the task entered the kernel. Before 5.15 no helper tells; there they stand at the
 * end of its stack. */
static __always_inline const struct pt_regs *task__registers(void) {
  if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
    return (const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
  return BPF_CORE_READ(task__current(), stack) + THREAD_SIZE - sizeof(struct pt_regs);
}

static __always_inline int task__is_in_io_uring_enter(void) {
  const struct pt_regs *registers = task__registers();
#if defined(__TARGET_ARCH_x86)
  return ((long)BPF_CORE_READ(registers, orig_ax) & ~X32_SYSTEM_CALL_BIT) == SYSTEM_CALL_IO_URING_ENTER;
#else
  return BPF_CORE_READ(registers, syscallno) == SYSTEM_CALL_IO_URING_ENTER;
#endif
}

/* Is it on its way back to user space, where io_uring completes what it could not at once? During a system
 * call x86 keeps -ENOSYS in the register of the result, and an interrupt has no number of a call. */
static __always_inline int task__leaves_kernel(void) {
#if defined(__TARGET_ARCH_x86)
  const struct pt_regs *registers = task__registers();

  return (long)BPF_CORE_READ(registers, orig_ax) < 0 || (long)BPF_CORE_READ(registers, ax) != -ENOSYS;
#else
  return 0;
#endif
}

/* Its worker threads, the polling one among them, do nothing else. A task without any io_uring is told by
 * that. */
static __always_inline int task__may_use_io_uring(struct task_struct *task) {
  return bpf_core_field_exists(task->io_uring) && BPF_CORE_READ(task, io_uring) != NULL;
}

/* For a connect, accept or bind: is it done through io_uring? */
static __always_inline __u32 way__flag(void) {
  struct task_struct *task = task__current();

  if (BPF_CORE_READ(task, flags) & PF_IO_WORKER) return IPTRACKD_FLAG_IO_URING;
  if (!task__may_use_io_uring(task)) return 0;
  return task__is_in_io_uring_enter() || task__leaves_kernel() ? IPTRACKD_FLAG_IO_URING : 0;
}

/* The same where there is no system call of the deed's own: then only a call of a 32-bit program is left. */
static __always_inline __u32 way__flag_below(void) {
  struct task_struct *task = task__current();

  if (BPF_CORE_READ(task, flags) & PF_IO_WORKER) return IPTRACKD_FLAG_IO_URING;
#if defined(__TARGET_ARCH_x86)
  if (BPF_CORE_READ(task, thread_info.status) & TS_COMPAT) return 0;
#endif
  return task__may_use_io_uring(task) ? IPTRACKD_FLAG_IO_URING : 0;
}

/* For a close, which ends on the way back to user space whatever asked for it. */
static __always_inline __u32 way__flag_of_close(void) {
  struct task_struct *task = task__current();

  if (BPF_CORE_READ(task, flags) & PF_KTHREAD) return IPTRACKD_FLAG_BY_KERNEL;
  if (BPF_CORE_READ(task, flags) & PF_IO_WORKER) return IPTRACKD_FLAG_IO_URING;
  if (!task__may_use_io_uring(task)) return 0;
  return task__is_in_io_uring_enter() ? IPTRACKD_FLAG_IO_URING : 0;
}

#endif
