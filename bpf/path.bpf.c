/* The steps of path.h. */
#include "path.h"

/* Towards the root of the mount, at most. */
__noinline __u64 path__step(__u32 number, __u64 from, __u64 mount_root, __u32 begin) {
  struct dentry *dentry = (struct dentry *)from;
  struct scratch *scratch = scratch__at(number);

  if (!scratch) return from;
  for (int i = 0; i < STEP_COMPONENTS; i++) {
    struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

    if ((__u64)dentry == mount_root || scratch__used(scratch) - begin >= IPTRACKD_PATH_MAX) break;
    scratch__append(scratch, BPF_CORE_READ(dentry, d_name.name));
    if (dentry == parent) return 0; /* outside any tree: a memfd */
    dentry = parent;
  }
  return (__u64)dentry;
}

__noinline __u64 cgroup__step(__u32 number, __u64 from, __u32 begin, __u32 passed, __u32 is_batch) {
  struct kernfs_node *node = (struct kernfs_node *)from;
  struct scratch *scratch = scratch__at(number);
  __u16 delegated = 0;

  if (!scratch) return from;
  for (int i = 0; i < STEP_COMPONENTS; i++) {
    struct kernfs_node *parent = kernfs_node__parent(node);

    if (!parent || scratch__used(scratch) - begin >= IPTRACKD_CGROUP_MAX) {
      from = parent ? (__u64)node : 0;
      break;
    }
    scratch__append(scratch, BPF_CORE_READ(node, name));
    if (BPF_CORE_READ(node, iattr) && BPF_CORE_READ(node, iattr, ia_uid.val)) delegated = passed + i + 1;
    node = parent;
    from = (__u64)node;
  }
  if (delegated && is_batch) scratch->event.batch_cgroup_delegated = delegated;
  if (delegated && !is_batch) scratch->event.cgroup_delegated = delegated;
  return from;
}
