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

/* Appends the path of TASK's cgroup in the unified hierarchy. */
static __noinline void event__fill_cgroup(struct scratch *scratch, struct task_struct *task) {
  struct kernfs_node *node = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);
  __u32 begin = scratch->used;

  for (int i = 0; i < CGROUP_COMPONENTS_MAX; i++) {
    struct kernfs_node *parent = kernfs_node__parent(node);

    if (!parent) goto complete;
    if (scratch__used(scratch) - begin >= IPTRACKD_PATH_MAX) break;
    scratch__append(scratch, BPF_CORE_READ(node, name));
    node = parent;
  }
  scratch->event.flags |= IPTRACKD_FLAG_PATH_TRUNCATED;
complete:
  scratch->event.flags |= IPTRACKD_FLAG_CGROUP;
  scratch->event.cgroup_size = scratch->used - begin;
}

/* Appends the task's working directory. */
static __always_inline void event__fill_cwd(struct scratch *scratch, struct task_struct *task) {
  struct fs_struct *fs = BPF_CORE_READ(task, fs);

  path__read(scratch, __builtin_preserve_access_index(&fs->pwd), &scratch->event.cwd_size);
  scratch->event.flags |= IPTRACKD_FLAG_CWD;
}

#endif
