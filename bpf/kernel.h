/* What every BPF file includes first: the kernel's types, libbpf's macros, the wire format, and the few
 * constants that BTF does not carry because the kernel has them as #define. */
#ifndef IPTRACKD_BPF_KERNEL_H
#define IPTRACKD_BPF_KERNEL_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "iptrackd/wire.h"

#define AF_INET 2
#define AF_INET6 10
#define EPERM 1
#define EACCES 13
#define EINVAL 22
#define EAFNOSUPPORT 97
#define ECONNABORTED 103
#define PF_KTHREAD 0x00200000
#define MNT_INTERNAL 0x4000
#define TMPFS_MAGIC 0x01021994

#define ALLOW 1 /* the verdict of every cgroup program here: this daemon watches, it never refuses */

#endif
