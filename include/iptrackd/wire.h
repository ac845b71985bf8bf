/* What crosses from the kernel side to user space: one record in a ring buffer is one event.
 *
 *   struct iptrackd_event        fixed
 *   exe                          exe_size bytes
 *   cwd                          cwd_size
 *   cgroup                       cgroup_size
 *   cgroup of the batch system   batch_cgroup_size
 *   args                         args_size
 *   environment                  environment_size
 *
 * exe, cwd and the two cgroups are paths as the kernel side walked them: components from the last to the
 * first, each followed by a NUL ("sshd\0sbin\0usr\0" is /usr/sbin/sshd); a failed exec's exe is the name that
 * was asked for, as one string with its NUL (IPTRACKD_FLAG_EXE_VERBATIM). args is argv as the kernel laid it
 * out, each argument followed by a NUL; the last NUL may be missing where it was cut. environment is that of
 * root's PAM callback, laid out likewise: a second witness of the login that the callback reports.
 *
 * Read by clang for BPF (after vmlinux.h) and by C++20. Fixed-width integers, explicit padding, host byte
 * order but for addresses, which are in network order. A change of anything here raises
 * IPTRACKD_WIRE_VERSION.
 */
#ifndef IPTRACKD_WIRE_H
#define IPTRACKD_WIRE_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define IPTRACKD_WIRE_VERSION 4

#define IPTRACKD_COMM_SIZE 16 /* TASK_COMM_LEN */
#define IPTRACKD_TTY_SIZE 64  /* sizeof(tty_struct.name) */
#define IPTRACKD_PATH_MAX 4096
#define IPTRACKD_CGROUP_MAX 2048
#define IPTRACKD_ENVIRONMENT_MAX 4096
/* Of the program iptrackd-pam-callback, as the kernel cuts it. */
#define IPTRACKD_CALLBACK_COMM "iptrackd-pam-ca"
#define IPTRACKD_ARGS_MAX 39936 /* the upper bound of activity_klog's argv_max_size */

/* The order is that of iptrackd::Kind. */
#define IPTRACKD_KIND_EXEC 0
#define IPTRACKD_KIND_CONNECT 1
#define IPTRACKD_KIND_ACCEPT 2
#define IPTRACKD_KIND_BIND 3
#define IPTRACKD_KIND_CLOSE 4
#define IPTRACKD_KIND_COUNT 5

/* What became of an event. The books balance: all of these together are the deeds that a hook saw. */
#define IPTRACKD_CAUSE_SUBMITTED 0
#define IPTRACKD_CAUSE_RING_FULL 1   /* no room in the ring buffer */
#define IPTRACKD_CAUSE_NO_SCRATCH 2  /* this CPU's work areas were all in use (nested preemption) */
#define IPTRACKD_CAUSE_MAP_FULL 3    /* the call or socket could not be remembered */
#define IPTRACKD_CAUSE_FD_RACED 4    /* the descriptor meant another socket when the call returned */
#define IPTRACKD_CAUSE_UNSEEN 5      /* an accepted socket was closed whose accept no hook saw */
#define IPTRACKD_CAUSE_OVER_BUDGET 6 /* the user has reported more than it may in a second */
#define IPTRACKD_CAUSE_WHITELISTED 7 /* a rule of the whitelist matches: no loss */
#define IPTRACKD_CAUSE_COUNT 8

/* iptrackd_event.flags: which optional fields hold a value, and remarks. */
#define IPTRACKD_FLAG_RESULT (1U << 0)
#define IPTRACKD_FLAG_LOCAL (1U << 1)
#define IPTRACKD_FLAG_REMOTE (1U << 2)
#define IPTRACKD_FLAG_BYTES (1U << 3)
#define IPTRACKD_FLAG_BEGAN (1U << 4)
#define IPTRACKD_FLAG_OPENER (1U << 5)
#define IPTRACKD_FLAG_EXE (1U << 6) /* exe, exe_device, exe_inode */
#define IPTRACKD_FLAG_CWD (1U << 7)
#define IPTRACKD_FLAG_CGROUP (1U << 8)
#define IPTRACKD_FLAG_ARGS (1U << 9)
#define IPTRACKD_FLAG_ARGS_TRUNCATED (1U << 10)
#define IPTRACKD_FLAG_EXE_VERBATIM \
  (1U << 11) /* exe is one string, and exe_device and exe_inode are unknown */
#define IPTRACKD_FLAG_PATH_TRUNCATED (1U << 12)
#define IPTRACKD_FLAG_DELETED (1U << 13)
#define IPTRACKD_FLAG_MEMFD (1U << 14)
#define IPTRACKD_FLAG_UNTRUSTED (1U << 15) /* exe or remote was read from the program's own memory */
#define IPTRACKD_FLAG_PREEXISTING (1U << 16)
#define IPTRACKD_FLAG_SELF_TEST (1U << 17) /* a deed of the daemon itself, to see whether its hooks work */
#define IPTRACKD_FLAG_IO_URING (1U << 18)  /* asked for through io_uring */
#define IPTRACKD_FLAG_BY_KERNEL \
  (1U << 19) /* a close that the kernel did later on its own: who did it is the process that opened it */

#define IPTRACKD_UNSET 0xffffffffU /* loginuid and audit_session where the kernel has none */

struct iptrackd_event {
  __u16 version;    /* IPTRACKD_WIRE_VERSION */
  __u16 fixed_size; /* sizeof(struct iptrackd_event) */
  __u32 flags;      /* IPTRACKD_FLAG_* */
  __u64 boot_ns;    /* CLOCK_BOOTTIME */
  __u64 began_ns;   /* CLOCK_BOOTTIME at which the attempt (connect) or the socket's use (close) began */
  __u64 bytes_sent; /* payload */
  __u64 bytes_received;
  __u64 exe_inode;
  __u32 exe_device;      /* major << 20 | minor */
  __u32 mount_namespace; /* inode number; 0 is unknown */
  __s32 result;          /* 0 or a negative errno */
  __u32 tgid;            /* ids are those of the initial pid namespace */
  __u32 tid;
  __u32 ppid;
  __u32 sid;
  __u32 uid; /* ids are those of the initial user namespace */
  __u32 gid;
  __u32 euid;
  __u32 egid;
  __u32 loginuid;
  __u32 audit_session;
  __u32 opener;     /* tgid of the process that began the socket's use */
  __u16 local_port; /* host order */
  __u16 remote_port;
  __u8 kind;     /* IPTRACKD_KIND_* */
  __u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP; 0 where there is no socket */
  __u8 family;   /* AF_INET or AF_INET6; 0 where there is no socket */
  __u8 reserved;
  __u8 local[16]; /* IPv4 in the first four bytes */
  __u8 remote[16];
  __u8 comm[IPTRACKD_COMM_SIZE]; /* up to a NUL */
  __u8 tty[IPTRACKD_TTY_SIZE];   /* driver's name, "pts3"; empty: none */
  __u32 exe_size;
  __u32 cwd_size;
  __u32 cgroup_size;       /* in the unified hierarchy */
  __u32 batch_cgroup_size; /* in a hierarchy of version 1, where there is one; batch systems use those */
  __u32 args_size;
  __u32 environment_size;
  /* Components of the path, counted from its end, up to and with the uppermost that root does not own: who
   * owns a control group can make others in it, of any name. 0: all is root's. */
  __u16 cgroup_delegated;
  __u16 batch_cgroup_delegated;
  __u32 exe_generation; /* of the executable's inode */
};

#ifdef __cplusplus
#include <cstddef>
static_assert(sizeof(iptrackd_event) == 256, "the layout is shared with the kernel side");
static_assert(offsetof(iptrackd_event, exe_inode) == 40);
static_assert(offsetof(iptrackd_event, result) == 56);
static_assert(offsetof(iptrackd_event, local_port) == 104);
static_assert(offsetof(iptrackd_event, local) == 112);
static_assert(offsetof(iptrackd_event, tty) == 160);
static_assert(offsetof(iptrackd_event, exe_size) == 224);
static_assert(offsetof(iptrackd_event, args_size) == 240);
#else
_Static_assert(sizeof(struct iptrackd_event) == 256, "the layout is shared with user space");
#endif

#endif
