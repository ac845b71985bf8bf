/* What every BPF file includes first: the kernel's types, libbpf's macros, the wire format, and the few
 * constants that BTF does not carry because the kernel has them as #define. */
#ifndef IPTRACKD_BPF_KERNEL_H
#define IPTRACKD_BPF_KERNEL_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "iptrackd/hook.h"
#include "iptrackd/wire.h"

#define AF_UNSPEC 0
#define AF_INET 2
#define AF_INET6 10
#define EPERM 1
#define EACCES 13
#define EEXIST 17
#define EINVAL 22
#define EAFNOSUPPORT 97
#define ENOSYS 38
#define ECONNABORTED 103
#define PF_KTHREAD 0x00200000
#define PF_IO_WORKER 0x00000010
#define THREAD_SIZE 16384 /* of a kernel stack, with pages of 4 KiB */
#define TS_COMPAT 2       /* thread_info.status: in a system call of the 32-bit table */
#define X32_SYSTEM_CALL_BIT 0x40000000L
#define SYSTEM_CALL_IO_URING_ENTER 426 /* in every architecture's table, and for 32-bit programs */
#define MNT_INTERNAL 0x4000
#define SIN6_LEN_RFC2133 24 /* a sockaddr_in6 without its scope: what the kernel takes at least */
#define TMPFS_MAGIC 0x01021994

/* The functions behind the system calls; of 32-bit programs, the second. */
#if defined(__TARGET_ARCH_x86)
#define SYSTEM_CALL(name) "__x64_sys_" name
#define COMPAT_SYSTEM_CALL(name) "__ia32_compat_sys_" name
#else
#define SYSTEM_CALL(name) "__arm64_sys_" name
#define COMPAT_SYSTEM_CALL(name) "__arm64_compat_sys_" name
#endif

#define ALLOW 1 /* the verdict of every cgroup program here: this daemon watches, it never refuses */

#endif
