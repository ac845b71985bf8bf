/* Walks of the directory tree and of the cgroup tree, from the leaf up. The components are written in that
 * order, each with its NUL; user space turns them around. bpf_d_path is not for tracepoints, and it would
 * stop at a chroot. */
#ifndef IPTRACKD_BPF_PATH_H
#define IPTRACKD_BPF_PATH_H

#include "core_fixes.h"
#include "scratch.h"

#define PATH_COMPONENTS_MAX 128
#define CGROUP_COMPONENTS_MAX 64

/* Appends PATH as its mount namespace has it, chroots undone, and leaves its size in SIZE. What is deeper or
 * longer than we follow gets IPTRACKD_FLAG_PATH_TRUNCATED: its last components stand, the first are missing.
 */
static __noinline void path__read(struct scratch *scratch, const struct path *path, __u32 *size) {
  struct dentry *dentry = BPF_CORE_READ(path, dentry);
  struct vfsmount *vfsmount = BPF_CORE_READ(path, mnt);
  __u32 begin = scratch->used;

  for (int i = 0; i < PATH_COMPONENTS_MAX; i++) {
    struct mount *mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
    struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

    if (dentry == BPF_CORE_READ(vfsmount, mnt_root)) {
      struct mount *above = BPF_CORE_READ(mount, mnt_parent);

      if (above == mount) goto complete;
      dentry = BPF_CORE_READ(mount, mnt_mountpoint);
      vfsmount = (void *)above + bpf_core_field_offset(struct mount, mnt);
      continue;
    }
    if (scratch__used(scratch) - begin >= IPTRACKD_PATH_MAX) break;
    scratch__append(scratch, BPF_CORE_READ(dentry, d_name.name));
    if (dentry == parent) goto complete; /* outside any tree: a memfd */
    dentry = parent;
  }
  scratch->event.flags |= IPTRACKD_FLAG_PATH_TRUNCATED;
complete:
  *size = scratch->used - begin;
}

/* Appends the path of a control group, and leaves its size in SIZE, and in DELEGATED how much of it root does
 * not vouch for; see struct iptrackd_event. */
static __noinline void cgroup__read(struct scratch *scratch, struct kernfs_node *node, __u32 *size,
                                    __u16 *delegated) {
  __u32 begin = scratch->used;

  for (int i = 0; i < CGROUP_COMPONENTS_MAX; i++) {
    struct kernfs_node *parent = kernfs_node__parent(node);

    if (!parent) goto complete;
    if (scratch__used(scratch) - begin >= IPTRACKD_CGROUP_MAX) break;
    scratch__append(scratch, BPF_CORE_READ(node, name));
    if (BPF_CORE_READ(node, iattr) && BPF_CORE_READ(node, iattr, ia_uid.val)) *delegated = i + 1;
    node = parent;
  }
  scratch->event.flags |= IPTRACKD_FLAG_PATH_TRUNCATED;
complete:
  *size = scratch->used - begin;
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

  cgroup__read(scratch, BPF_CORE_READ(task, cgroups, dfl_cgrp, kn), &event->cgroup_size,
               &event->cgroup_delegated);
  if (batch) cgroup__read(scratch, batch, &event->batch_cgroup_size, &event->batch_cgroup_delegated);
  event->flags |= IPTRACKD_FLAG_CGROUP;
}

/* Appends the task's working directory. */
static __always_inline void event__fill_cwd(struct scratch *scratch, struct task_struct *task) {
  struct fs_struct *fs = BPF_CORE_READ(task, fs);

  path__read(scratch, __builtin_preserve_access_index(&fs->pwd), &scratch->event.cwd_size);
  scratch->event.flags |= IPTRACKD_FLAG_CWD;
}

#endif
