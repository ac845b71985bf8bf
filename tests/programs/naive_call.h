/* What naive.bpf.c reports of one system call, and naive.cpp reads: the arguments as they stood in the
 * caller's memory when the call began. */
#ifndef IPTRACKD_TESTS_PROGRAMS_NAIVE_CALL_H
#define IPTRACKD_TESTS_PROGRAMS_NAIVE_CALL_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define NAIVE_NAME_SIZE 256
#define NAIVE_ARGUMENT_SIZE 64

struct naive_call {
  __u64 monotonic_ns;
  __u32 pid;
  __u32 tid;
  __u32 number; /* of the system call */
  __s32 fd;
  __u16 family; /* of the address; 0: there is none */
  __u16 port;   /* network order */
  __u32 reserved;
  __u8 address[16];                   /* network order, IPv4 in the first four bytes */
  __u8 name[NAIVE_NAME_SIZE];         /* of the file to execute, up to a NUL */
  __u8 argument[NAIVE_ARGUMENT_SIZE]; /* its argv[1], up to a NUL */
};

#endif
