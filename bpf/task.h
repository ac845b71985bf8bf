/* Who did it: the identity of a task, as the host sees it, written into an event. */
#ifndef IPTRACKD_BPF_TASK_H
#define IPTRACKD_BPF_TASK_H

#include "process.h"
#include "way.h"

/* uid, gid, suid, sgid, euid, egid: side by side in every kernel so far, so that one read does for all. */
struct six_ids {
  __u32 uid, gid, suid, sgid, euid, egid;
};

static __always_inline void event__fill_credentials(struct iptrackd_event *event, const struct cred *cred) {
  struct six_ids ids = {};

  if (bpf_core_field_offset(struct cred, egid) - bpf_core_field_offset(struct cred, uid) == 20) {
    bpf_probe_read_kernel(&ids, sizeof(ids), (void *)cred + bpf_core_field_offset(struct cred, uid));
  } else {
    ids.uid = BPF_CORE_READ(cred, uid.val);
    ids.gid = BPF_CORE_READ(cred, gid.val);
    ids.euid = BPF_CORE_READ(cred, euid.val);
    ids.egid = BPF_CORE_READ(cred, egid.val);
  }
  event->uid = ids.uid;
  event->gid = ids.gid;
  event->euid = ids.euid;
  event->egid = ids.egid;
}

/* The pid and user namespaces are the initial ones: numbers that the host's administrator can look up. */
static __always_inline void event__fill_ids(struct iptrackd_event *event, struct task_struct *task) {
  event->tgid = BPF_CORE_READ(task, tgid);
  if (self_test_tgid && event->tgid == self_test_tgid) event->flags |= IPTRACKD_FLAG_SELF_TEST;
  event->tid = BPF_CORE_READ(task, pid);
  event->ppid = BPF_CORE_READ(task, real_parent, tgid);
  event->sid = BPF_CORE_READ(task, signal, pids[PIDTYPE_SID], numbers[0].nr);
  event__fill_credentials(event, BPF_CORE_READ(task, cred));
  event->loginuid = task__loginuid(task);
  event->audit_session = task__audit_session(task);
  bpf_probe_read_kernel(event->comm, sizeof(event->comm), __builtin_preserve_access_index(&task->comm));
}

static __always_inline void task__read_tty(char *name, struct task_struct *task) {
  struct tty_struct *tty = BPF_CORE_READ(task, signal, tty);

  if (tty) bpf_probe_read_kernel(name, IPTRACKD_TTY_SIZE, __builtin_preserve_access_index(&tty->name));
}

/* An exiting task has left its terminal and its namespaces before its sockets are closed; what it had stands
 * in the table of processes then. */
static __always_inline void event__fill_surroundings(struct iptrackd_event *event, struct task_struct *task,
                                                     const struct process *process) {
  event->mount_namespace = task__mount_namespace(task);
  task__read_tty((char *)event->tty, task);
  if (!process) return;
  if (event->mount_namespace == 0) event->mount_namespace = process->mount_namespace;
  if (event->tty[0] == '\0') __builtin_memcpy(event->tty, process->tty, sizeof(event->tty));
}

/* Which file the process runs. */
static __always_inline void event__fill_program(struct iptrackd_event *event, const struct process *process) {
  event->exe_inode = process->program.inode;
  event->exe_device = process->program.device;
  event->exe_generation = process->program.generation;
}

/* Its path; the scratch area must be empty. */
static __always_inline void event__fill_known_exe(struct scratch *scratch, const struct process *process) {
  struct iptrackd_event *event = &scratch->event;
  __u64 size = process->exe_size;
  const char *exe = process->exe;
  __u32 tgid = event->tgid;

  if (size > PROCESS_EXE_SIZE) {
    struct long_path *path = bpf_map_lookup_elem(&long_paths, &tgid);

    if (!path) return;
    exe = path->exe;
  }
  asm volatile("%0 &= %1" : "+r"(size) : "i"(2 * IPTRACKD_PATH_MAX - 1));
  if (bpf_probe_read_kernel(scratch->data, size, exe)) return;
  scratch->used = size;
  event->exe_size = size;
  event->flags |= process->exe_flags;
}

/* What the whitelist asks for: who it is, and what it runs. The scratch area must be empty; a process that is
 * not in the table is entered, its path in the area. */
static __noinline void event__identify(struct scratch *scratch) {
  struct task_struct *task = task__current();
  struct process *process = process__find(task);
  struct file *file;

  event__fill_ids(&scratch->event, task);
  if (process) {
    event__fill_program(&scratch->event, process);
    return;
  }
  file = BPF_CORE_READ(task, mm, exe_file);
  if (file) process__learn(scratch, task, file, BPF_ANY);
}

/* All else about the current task that every event carries. */
static __noinline void event__fill_task(struct scratch *scratch) {
  struct task_struct *task = task__current();
  struct process *process = process__find(task);

  event__fill_surroundings(&scratch->event, task, process);
  if (process && scratch->event.exe_size == 0) event__fill_known_exe(scratch, process);
  event__fill_cgroup(scratch, task);
}

#endif
