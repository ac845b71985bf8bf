/* The table of processes: who runs which executable, as the kernel knew it when it was executed. */
#ifndef IPTRACKD_BPF_PROCESS_H
#define IPTRACKD_BPF_PROCESS_H

#include "path.h"

static __always_inline __u64 task__start_ns(struct task_struct *task) {
  return BPF_CORE_READ(task, group_leader, start_boottime);
}

/* A file without a name: unlinked (its dentry is out of the hash), or made by memfd_create, which lives on
 * the kernel's own mount of tmpfs. */
static __always_inline __u32 file__marks(struct file *file) {
  struct super_block *super = BPF_CORE_READ(file, f_inode, i_sb);
  int flags = BPF_CORE_READ(file, f_path.mnt, mnt_flags);
  __u32 marks = 0;

  if (BPF_CORE_READ(file, f_inode, i_nlink) == 0) marks |= IPTRACKD_FLAG_DELETED;
  if (BPF_CORE_READ(file, f_path.dentry, d_hash.pprev) == NULL) marks |= IPTRACKD_FLAG_DELETED;
  if (BPF_CORE_READ(super, s_magic) == TMPFS_MAGIC && (flags & MNT_INTERNAL)) marks |= IPTRACKD_FLAG_MEMFD;
  return marks;
}

static __always_inline void program__of_event(struct iptrackd_program *program,
                                              const struct iptrackd_event *event) {
  program->inode = event->exe_inode;
  program->device = event->exe_device;
  program->generation = event->exe_generation;
}

static __always_inline void process__forget(__u32 tgid) {
  bpf_map_delete_elem(&processes, &tgid);
  bpf_map_delete_elem(&long_paths, &tgid);
}

/* Enters into the table that the task's process runs FILE, and fills the event's executable likewise: its
 * path is appended to the scratch area, which must be empty. MODE is BPF_ANY, or BPF_NOEXIST where an exec
 * may know better. */
static __noinline void process__learn(struct scratch *scratch, struct task_struct *task, struct file *file,
                                      __u64 mode) {
  struct process *process = &scratch->process;
  struct iptrackd_event *event = &scratch->event;
  __u32 tgid = BPF_CORE_READ(task, tgid);

  path__read(scratch, __builtin_preserve_access_index(&file->f_path), &event->exe_size);
  event->exe_inode = BPF_CORE_READ(file, f_inode, i_ino);
  event->exe_device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
  event->exe_generation = BPF_CORE_READ(file, f_inode, i_generation);
  event->flags |= IPTRACKD_FLAG_EXE | file__marks(file);

  __builtin_memset(process, 0, sizeof(*process));
  process->start_ns = task__start_ns(task);
  program__of_event(&process->program, event);
  /* not what else the event has to say: other events take these */
  process->exe_flags = event->flags & (IPTRACKD_FLAG_EXE | IPTRACKD_FLAG_DELETED | IPTRACKD_FLAG_MEMFD |
                                       IPTRACKD_FLAG_PATH_TRUNCATED);
  process->exe_size = event->exe_size;
  if (event->exe_size <= PROCESS_EXE_SIZE) {
    bpf_probe_read_kernel(process->exe, sizeof(process->exe), scratch->data);
  } else {
    bpf_map_update_elem(&long_paths, &tgid, scratch->data, mode);
  }
  /* No entry is better than that of what it ran before. */
  if (bpf_map_update_elem(&processes, &tgid, process, mode) && mode == BPF_ANY) process__forget(tgid);
}

/* The entry of the task's process, or NULL. */
static __always_inline struct process *process__find(struct task_struct *task) {
  __u32 tgid = BPF_CORE_READ(task, tgid);
  struct process *process = bpf_map_lookup_elem(&processes, &tgid);

  return process && process->start_ns == task__start_ns(task) ? process : NULL;
}

#endif
