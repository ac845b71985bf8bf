/* Walks of the directory tree and of the cgroup tree, from the leaf up. The components are written in that
 * order, each with its NUL; user space turns them around. bpf_d_path is not for tracepoints, and it would
 * stop at a chroot. */
#ifndef IPTRACKD_BPF_PATH_H
#define IPTRACKD_BPF_PATH_H

#include "core_fixes.h"
#include "scratch.h"

/* Each is climbed in steps of so many components. A step is a function of its own for the verifier, which
 * takes each turn of a loop for code of its own: it looks at a step once, not at each, and at a few steps
 * instead of a hundred components. Such functions are given nothing but numbers (5.10). */
#define STEP_COMPONENTS 8
#define PATH_STEPS_MAX 32 /* and changes from one mount to the one above */
#define CGROUP_STEPS_MAX 8

/* In path.bpf.c. SCRATCH: scratch__number(). They append what they pass, and return where they have come to;
 * zero: there is nothing above. Beyond the room that a path has they stay where they are. */
__u64 path__step(__u32 scratch, __u64 dentry, __u64 mount_root, __u32 begin);
__u64 cgroup__step(__u32 scratch, __u64 node, __u32 begin, __u32 passed, __u32 is_batch);

/* Appends PATH as its mount namespace has it, chroots undone, and leaves its size in SIZE. What is deeper or
 * longer than we follow gets IPTRACKD_FLAG_PATH_TRUNCATED: its last components stand, the first are missing.
 */
static __always_inline void path__read(struct scratch *scratch, const struct path *path, __u32 *size) {
  __u64 dentry = (__u64)BPF_CORE_READ(path, dentry);
  struct vfsmount *vfsmount = BPF_CORE_READ(path, mnt);
  __u32 begin = scratch->used;

  for (int i = 0; i < PATH_STEPS_MAX; i++) {
    struct mount *mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
    __u64 root = (__u64)BPF_CORE_READ(vfsmount, mnt_root);

    if (dentry == root) {
      struct mount *above = BPF_CORE_READ(mount, mnt_parent);

      if (above == mount) goto complete;
      dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
      vfsmount = (void *)above + bpf_core_field_offset(struct mount, mnt);
      continue;
    }
    dentry = path__step(scratch__number(scratch), dentry, root, begin);
    if (!dentry) goto complete;
  }
  scratch->event.flags |= IPTRACKD_FLAG_PATH_TRUNCATED;
complete:
  *size = scratch->used - begin;
}

/* Appends the path of a control group, and returns its size. How much of it root does not vouch for stands in
 * the event; see struct iptrackd_event. */
static __always_inline __u32 cgroup__read(struct scratch *scratch, __u64 node, __u32 is_batch) {
  __u32 begin = scratch->used;

  for (int i = 0; i < CGROUP_STEPS_MAX; i++) {
    node = cgroup__step(scratch__number(scratch), node, begin, i * STEP_COMPONENTS, is_batch);
    if (!node) goto complete;
  }
  scratch->event.flags |= IPTRACKD_FLAG_PATH_TRUNCATED;
complete:
  return scratch->used - begin;
}

/* The task's group in the first hierarchy of version 1 where it has one below the root, in the order in which
 * batch systems use them; NULL where there is none. */
static __always_inline struct kernfs_node *task__batch_cgroup(struct task_struct *task) {
  struct css_set *groups = BPF_CORE_READ(task, cgroups);
  struct cgroup_root *unified = BPF_CORE_READ(groups, dfl_cgrp, root);
  struct cgroup_subsys_state **states = (void *)groups + bpf_core_field_offset(struct css_set, subsys[0]);
  const __u32 controllers[] = {bpf_core_enum_value(enum cgroup_subsys_id, freezer_cgrp_id),
                               bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id),
                               bpf_core_enum_value(enum cgroup_subsys_id, cpuset_cgrp_id)};

#pragma unroll
  for (int i = 0; i < 3; i++) {
    struct cgroup_subsys_state *state = NULL;
    struct kernfs_node *node;

    bpf_probe_read_kernel(&state, sizeof(state), states + controllers[i]);
    if (!state || BPF_CORE_READ(state, cgroup, root) == unified) continue;
    node = BPF_CORE_READ(state, cgroup, kn);
    if (kernfs_node__parent(node)) return node;
  }
  return NULL;
}

/* Appends the paths of TASK's control groups. */
static __noinline void event__fill_cgroup(struct scratch *scratch, struct task_struct *task) {
  struct iptrackd_event *event = &scratch->event;
  struct kernfs_node *batch = has_version_1_cgroups ? task__batch_cgroup(task) : NULL;

  event->cgroup_size = cgroup__read(scratch, (__u64)BPF_CORE_READ(task, cgroups, dfl_cgrp, kn), 0);
  if (batch) event->batch_cgroup_size = cgroup__read(scratch, (__u64)batch, 1);
  event->flags |= IPTRACKD_FLAG_CGROUP;
}

/* Appends the task's working directory. */
static __always_inline void event__fill_cwd(struct scratch *scratch, struct task_struct *task) {
  struct fs_struct *fs = BPF_CORE_READ(task, fs);

  path__read(scratch, __builtin_preserve_access_index(&fs->pwd), &scratch->event.cwd_size);
  scratch->event.flags |= IPTRACKD_FLAG_CWD;
}

#endif
