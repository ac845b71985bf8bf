/* Everything that the hook families share. maps.bpf.c defines it (IPTRACKD_DEFINE_MAPS); the others declare
 * it, and bpftool's static linker joins them into one object. */
#ifndef IPTRACKD_BPF_MAPS_H
#define IPTRACKD_BPF_MAPS_H

#include "kernel.h"

#include "iptrackd/whitelist.h"

#ifdef IPTRACKD_DEFINE_MAPS
#define SHARED
#else
#define SHARED extern
#endif

/* Rings. Logins and execs have one of their own, so that a flood of connections cannot displace them. User
 * space sets the sizes before loading. */
SHARED struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} exec_ring SEC(".maps");

SHARED struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} network_ring SEC(".maps");

/* Events by kind and cause; the key is kind * IPTRACKD_CAUSE_COUNT + cause. */
SHARED struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, IPTRACKD_KIND_COUNT *IPTRACKD_CAUSE_COUNT);
  __type(key, __u32);
  __type(value, __u64);
} counters SEC(".maps");

/* Runs of each program; the key is its IPTRACKD_HOOK_*. */
SHARED struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, IPTRACKD_HOOK_COUNT);
  __type(key, __u32);
  __type(value, __u64);
} hits SEC(".maps");

/* The number of the set of programs that is in force. It outlives every set. */
SHARED struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} generation SEC(".maps");

struct budget {
  __u64 window_ns; /* when the second began that the next two count in */
  __u64 execs;
  __u64 others;
  __u64 refused[IPTRACKD_KIND_COUNT]; /* since the map was made */
};

SHARED struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, __u32); /* uid */
  __type(value, struct budget);
} budgets SEC(".maps");

/* What a process runs, learnt at its exec and handed on at fork. It is kept because an exiting task has lost
 * its mm, and with it its executable, before its sockets are closed; and because reading it here costs less
 * than a walk of the path for each event. Longer paths than PROCESS_EXE_SIZE stand in long_paths. */
#define PROCESS_EXE_SIZE 512

struct process {
  __u64 start_ns; /* of the thread group's leader: tells a reused pid from the process that was meant */
  struct iptrackd_program program; /* user space reads it here: whose file still runs? */
  __u32 exe_flags;                 /* IPTRACKD_FLAG_EXE, _DELETED, _MEMFD, _PATH_TRUNCATED, _PREEXISTING */
  __u32 mount_namespace;           /* set at exit, 0 before; likewise tty */
  __u32 exe_size;
  __u32 reserved;
  char tty[IPTRACKD_TTY_SIZE];
  char exe[PROCESS_EXE_SIZE];
};

/* Work areas in which an event is put together before it goes to the ring: too large for the stack (512
 * bytes), of a size that is not known beforehand (which rules out a reservation in the ring). A per-CPU array
 * would be natural but ends at 32 KiB a value; so these are plain arrays of SCRATCH_SLOTS areas for each CPU,
 * sized by user space. */
#define SCRATCH_SLOTS 4
#define COMPONENT_SIZE 256 /* NAME_MAX and the NUL */
#define SCRATCH_PATHS \
  16384 /* two paths of IPTRACKD_PATH_MAX, two control groups, and slack; a power of two, for masking */

struct scratch {
  __u32 busy;
  __u32 used;     /* bytes of data */
  __u32 question; /* the place in whitelist_questions that goes with this area */
  __u32 reserved;
  struct process process; /* a new entry for the table, before it is one */
  __u64 attempted_for;    /* this and the next as in struct attempt, where they stand before the event too */
  __u64 verdict;
  struct iptrackd_event event;
  char data[SCRATCH_PATHS + COMPONENT_SIZE]; /* follows the event at once: both go to the ring in one piece */
};

struct exec_scratch {
  struct scratch common;
  char more[IPTRACKD_ARGS_MAX + IPTRACKD_ENVIRONMENT_MAX]; /* data goes on here */
};

SHARED struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, SCRATCH_SLOTS);
  __type(key, __u32);
  __type(value, struct scratch);
} network_scratches SEC(".maps");

SHARED struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, SCRATCH_SLOTS);
  __type(key, __u32);
  __type(value, struct exec_scratch);
} exec_scratches SEC(".maps");

struct long_path {
  char exe[IPTRACKD_PATH_MAX + 256];
};

SHARED struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 262144);
  __type(key, __u32); /* tgid */
  __type(value, struct process);
} processes SEC(".maps");

SHARED struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, __u32); /* tgid */
  __type(value, struct long_path);
} long_paths SEC(".maps");

/* A system call under way, from its entry to its exit. */
struct call {
  __u64 began_ns;
  __u64 sock; /* struct sock *, learnt by a hook on the way; 0: none was reached */
  __u64
      attempt; /* the struct sock * that this call took from CLOSE to SYN_SENT: sock, or its MPTCP subflow */
  __u64 address; /* the caller's pointer: sockaddr, or the name of an exec; the kernel's struct filename * */
  __u32 fd;
  __u32 address_size;
  __u8 requested[16]; /* the kernel's copy of the address that was asked for */
  __u16 port;         /* host order */
  __u8 family;        /* 0: requested and port are not known */
  __u8 kind;
  __u32 way; /* IPTRACKD_FLAG_IO_URING or 0 */
};

SHARED struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, __u64); /* bpf_get_current_pid_tgid() */
  __type(value, struct call);
} calls SEC(".maps");

/* Who began the use of a socket: for the close that the kernel does on its own, when nobody is there to ask
 * (the last reference was in a queue of passed descriptors, or in a table of io_uring). */
struct opener {
  __u32 tgid; /* 0: not known, the socket is older than we */
  __u32 tid;
  __u32 ppid;
  __u32 sid;
  __u32 uid;
  __u32 gid;
  __u32 euid;
  __u32 egid;
  __u32 loginuid;
  __u32 audit_session;
  __u8 comm[IPTRACKD_COMM_SIZE];
};

/* A socket in use, from the connect, accept or bind that began it to its release. The key is its struct sock
 * *: unique as long as the socket lives, and we hear of its end. */
#define SOCKET_PENDING 1U  /* established, but not yet accepted */
#define SOCKET_ACTIVE 2U   /* we sent the SYN */
#define SOCKET_STREAM 4U   /* connected or accepted TCP: has byte counts and a remote end */
#define SOCKET_FIN_SENT 8U /* shutdown() has put a FIN into the stream */
#define SOCKET_REMOTE 16U
#define SOCKET_PREEXISTING 32U /* was there before us: who began its use, and when, is not known */
#define SOCKET_UNSURE 64U      /* a UDP connect of which nobody told whether it succeeded */
#define SOCKET_USED 128U       /* in use before that connect: its close is a row in any case */
#define SOCKET_OUTWARD 256U    /* we asked for the connection: the service is at the remote end */

struct used_socket {
  __u64 began_ns;
  struct opener opener;
  __u32 flags;
  __u16 local_port;
  __u16 remote_port;
  __u8 protocol;
  __u8 family;
  __u8 reserved[6];
  __u8 local[16];
  __u8 remote[16];
};

SHARED struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1048576);
  __type(key, __u64);
  __type(value, struct used_socket);
} sockets SEC(".maps");

/* A TCP connect whose outcome is still open: the event, complete but for the result, as the caller's identity
 * must be taken when it asked; the outcome comes from a softirq. Two sizes, as most paths are short. */
#define ATTEMPT_DATA_SHORT 512
#define ATTEMPT_DATA_LONG (IPTRACKD_PATH_MAX + 2 * IPTRACKD_CGROUP_MAX + 3 * 256)

struct attempt {
  __u64 sock;    /* struct sock * that the caller knows: of an MPTCP subflow, its MPTCP socket */
  __u64 verdict; /* WHITELIST_* */
  struct iptrackd_event event;
  char data[ATTEMPT_DATA_SHORT];
};

struct long_attempt {
  __u64 sock;
  __u64 verdict;
  struct iptrackd_event event;
  char data[ATTEMPT_DATA_LONG];
};

SHARED struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, __u64); /* struct sock * */
  __type(value, struct attempt);
} attempts SEC(".maps");

SHARED struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 4096);
  __type(key, __u64); /* struct sock * */
  __type(value, struct long_attempt);
} long_attempts SEC(".maps");

/* The whitelist, twice: one side is in force while user space writes the other. How often they were exchanged
 * tells which: the even side at first. The daemon walks them every second, and a walk takes as long as a map
 * could hold entries: they are no larger than lists may well be. */
struct whitelist_programs {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 16384);
  __type(key, struct iptrackd_program);
  __type(value, struct iptrackd_program_rules);
};

struct whitelist_network {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 131072);
  __type(key, struct iptrackd_rule_key);
  __type(value, struct iptrackd_network_rule);
};

struct whitelist_exec {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, struct iptrackd_rule_key);
  __type(value, struct iptrackd_exec_rule);
};

SHARED struct whitelist_programs whitelist_programs_even SEC(".maps");
SHARED struct whitelist_programs whitelist_programs_odd SEC(".maps");
SHARED struct whitelist_network whitelist_network_even SEC(".maps");
SHARED struct whitelist_network whitelist_network_odd SEC(".maps");
SHARED struct whitelist_exec whitelist_exec_even SEC(".maps");
SHARED struct whitelist_exec whitelist_exec_odd SEC(".maps");

SHARED struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} whitelist_turn SEC(".maps");

/* What the hooks ask of the whitelist: an entry for each work area, those of execs at the odd places. Sized
 * by user space. */
struct whitelist_question {
  struct iptrackd_network_question network;
  struct iptrackd_exec_question exec;
};

SHARED struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2 * SCRATCH_SLOTS);
  __type(key, __u32);
  __type(value, struct whitelist_question);
} whitelist_questions SEC(".maps");

/* Where user space asks, and is answered. */
struct whitelist_desk {
  struct whitelist_question question;
  struct iptrackd_program file;
  __u32 verdict; /* WHITELIST_* */
  __u32 found;   /* file was */
};

SHARED struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct whitelist_desk);
} whitelist_desk SEC(".maps");

/* Set by user space before loading; constant for the verifier. */
#ifdef IPTRACKD_DEFINE_MAPS
const volatile __u32 own_generation = 0;
const volatile __u32 user_budget = 0; /* events in a second; 0: no limit */
const volatile __u32 args_max_bytes = 4096;
const volatile __u8 has_version_1_cgroups = 0;
const volatile __u8 want_exec = 1;
const volatile __u8 want_tcp_connect = 1;
const volatile __u8 want_tcp_accept = 1;
const volatile __u8 want_tcp_bind = 1;
const volatile __u8 want_tcp_close = 1;
const volatile __u8 want_udp_connect = 1;
const volatile __u8 want_udp_bind = 1;
const volatile __u8 want_udp_close = 1;
/* Raised by the ring reader before it sleeps; the first event after that wakes it. */
__u32 reader_asleep = 0;
/* The process that performs the self-test's deeds, 0 when there is none, and which hooks have seen it. */
__u32 self_test_tgid = 0;
__u8 self_test_seen[IPTRACKD_HOOK_COUNT] = {};
#else
extern const volatile __u32 own_generation;
extern const volatile __u32 user_budget;
extern const volatile __u32 args_max_bytes;
extern const volatile __u8 has_version_1_cgroups;
extern const volatile __u8 want_exec;
extern const volatile __u8 want_tcp_connect;
extern const volatile __u8 want_tcp_accept;
extern const volatile __u8 want_tcp_bind;
extern const volatile __u8 want_tcp_close;
extern const volatile __u8 want_udp_connect;
extern const volatile __u8 want_udp_bind;
extern const volatile __u8 want_udp_close;
extern __u32 reader_asleep;
extern __u32 self_test_tgid;
extern __u8 self_test_seen[IPTRACKD_HOOK_COUNT];
#endif

#endif
