/* Keeps the table of processes: a child runs what its parent runs, until it executes something itself.
 *
 * Why sched_process_free and not sched_process_exit: sockets are closed after the latter. At exit we only
 * save what the task is about to lose. The hook families read the table through process.h; exec.bpf.c writes
 * it at an exec. */
#include "process.h"
#include "call.h"
#include "task.h"

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child) {
  __u32 parent_tgid = BPF_CORE_READ(parent, tgid);
  __u32 tgid = BPF_CORE_READ(child, tgid);
  struct process *process = process__find(parent);
  struct long_path *path;

  if (!hook__is_in_force()) return 0;
  hook__hit_by(IPTRACKD_HOOK_process_fork, parent_tgid);
  if (tgid != (__u32)BPF_CORE_READ(child, pid) || !process) return 0;
  if (bpf_map_update_elem(&processes, &tgid, process, BPF_ANY)) return 0;
  path = process->exe_size > PROCESS_EXE_SIZE ? bpf_map_lookup_elem(&long_paths, &parent_tgid) : NULL;
  if (path) bpf_map_update_elem(&long_paths, &tgid, path, BPF_ANY);
  process = bpf_map_lookup_elem(&processes, &tgid);
  if (!process) return 0;
  process->start_ns = task__start_ns(child); /* the child does not run yet: nobody reads it before this */
  process->mount_namespace = 0;
  process->tty[0] = '\0';
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task) {
  struct process *process;

  HOOK(process_exit);
  if (BPF_CORE_READ(task, signal, live.counter) != 0) return 0; /* not the last thread */
  process = process__find(task);
  if (!process) return 0;
  process->mount_namespace = task__mount_namespace(task);
  task__read_tty(process->tty, task);
  return 0;
}

SEC("tp_btf/sched_process_free")
int BPF_PROG(process_free, struct task_struct *task) {
  __u32 tgid = BPF_CORE_READ(task, tgid);

  if (!hook__is_in_force()) return 0;
  hook__hit_by(IPTRACKD_HOOK_process_free, tgid);
  call__forget(task);
  if (tgid != (__u32)BPF_CORE_READ(task, pid)) return 0;
  if (process__find(task)) process__forget(tgid);
  return 0;
}
