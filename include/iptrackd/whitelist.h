/* The whitelist as it stands in the kernel: which events are dropped before they are built.
 *
 *   whitelist_programs          whitelist_network               whitelist_exec
 *   program -> which rules      program, number -> rule         program, number -> rule
 *
 * A program is the file that is executed, as the kernel's own inode tells it; no path can be forged for it.
 * The rules of a program have numbers from 0 to IPTRACKD_PROGRAM_RULES_MAX - 1, and those of * , any program,
 * stand under the program whose members are all zero. An event is dropped when any rule of its program, or of
 * any program, matches.
 *
 * Whether a rule matches is decided by the functions at the end: the kernel side and user space compile the
 * same text. Read by clang for BPF (after vmlinux.h) and by C++20. Host byte order but for addresses. */
#ifndef IPTRACKD_WHITELIST_H
#define IPTRACKD_WHITELIST_H

#include "iptrackd/wire.h"

#define IPTRACKD_PROGRAM_RULES_MAX 64    /* of one program, of each kind of rule */
#define IPTRACKD_PROGRAM_PATH_SIZE 240   /* with its NUL */
#define IPTRACKD_RULE_ARGUMENTS_SIZE 240 /* with a NUL behind each argument */

struct iptrackd_program {
  __u64 inode;
  __u32 device;     /* of the file system as the kernel knows it: major << 20 | minor */
  __u32 generation; /* tells a reused inode number from the file meant; 0 on some file systems */
};

struct iptrackd_program_rules {
  __u64 network;                         /* bit N: whitelist_network may have rule N of this program */
  __u64 exec;                            /* likewise whitelist_exec */
  char path[IPTRACKD_PROGRAM_PATH_SIZE]; /* for people: nothing is decided by it; empty where it is longer */
};

struct iptrackd_rule_key {
  struct iptrackd_program program;
  __u32 number;
  __u32 reserved; /* zero */
};

/* What a rule asks for; also the answer to the question which of it an event does not meet. */
#define IPTRACKD_RULE_KINDS 1
#define IPTRACKD_RULE_UID 2
#define IPTRACKD_RULE_REMOTE 4
#define IPTRACKD_RULE_SERVICE_PORT 8
#define IPTRACKD_RULE_REMOTE_PORT 16
#define IPTRACKD_RULE_LOCAL_PORT 32
#define IPTRACKD_RULE_ARGUMENTS 64
#define IPTRACKD_RULE_NOT_ROOT 128 /* nothing is dropped whose uid or euid is 0 */

struct iptrackd_network_rule {
  __u64 hits;      /* events that it has dropped */
  __u8 remote[16]; /* IPv4 in the first four bytes */
  __u8 remote_mask[16];
  __u32 uid;
  __u16 service_port_low; /* host order, like all ports here; the ranges include both ends */
  __u16 service_port_high;
  __u16 remote_port_low;
  __u16 remote_port_high;
  __u16 local_port_low;
  __u16 local_port_high;
  __u8 asks;   /* IPTRACKD_RULE_*; what is not asked for is zero */
  __u8 kinds;  /* 1 << IPTRACKD_KIND_* */
  __u8 family; /* AF_INET or AF_INET6, of remote */
  __u8 reserved[5];
};

struct iptrackd_exec_rule {
  __u64 hits;
  __u32 uid;
  __u16 arguments_size;
  __u8 asks;
  __u8 reserved;
  char arguments[IPTRACKD_RULE_ARGUMENTS_SIZE]; /* the first behind argv[0], each with its NUL; zero behind */
};

/* What is asked of an event. */
struct iptrackd_network_question {
  struct iptrackd_program program;
  __u8 remote[16]; /* an IPv4 address mapped into IPv6 stands here as IPv4 */
  __u32 uid;
  __u16 service_port; /* remote for connect, local for accept and bind, for close that of how it began; 0:
                         unknown */
  __u16 remote_port;  /* 0: none */
  __u16 local_port;   /* 0: not known, or not yet */
  __u8 kind;
  __u8 family; /* of remote; 0: there is none */
  __u8 reserved[4];
};

struct iptrackd_exec_question {
  struct iptrackd_program program;
  __u32 uid;
  __u32 euid;
  __u32 arguments_size; /* bytes that are known of those behind argv[0] */
  __u32 reserved;
  char arguments[IPTRACKD_RULE_ARGUMENTS_SIZE];
};

#ifdef __cplusplus
#define IPTRACKD_INLINE [[nodiscard]] inline
#else
#define IPTRACKD_INLINE static __attribute__((always_inline)) inline
#endif

IPTRACKD_INLINE __u64 iptrackd_word(const void *bytes) {
  __u64 word;

  __builtin_memcpy(&word, bytes, sizeof(word));
  return word;
}

IPTRACKD_INLINE int iptrackd_is_in_network(const __u8 *address, const __u8 *network, const __u8 *mask) {
  __u64 high = (iptrackd_word(address) ^ iptrackd_word(network)) & iptrackd_word(mask);
  __u64 low = (iptrackd_word(address + 8) ^ iptrackd_word(network + 8)) & iptrackd_word(mask + 8);

  return (high | low) == 0;
}

/* Zero: the rule matches. Otherwise IPTRACKD_RULE_*: the first demand that the event does not meet. The local
 * port comes last: where it is not known yet, all else is met. */
IPTRACKD_INLINE int iptrackd_network_rule_unmet(const struct iptrackd_network_rule *rule,
                                                const struct iptrackd_network_question *event) {
  __u8 asks = rule->asks;

  if ((asks & IPTRACKD_RULE_KINDS) && !(rule->kinds >> event->kind & 1)) return IPTRACKD_RULE_KINDS;
  if ((asks & IPTRACKD_RULE_UID) && rule->uid != event->uid) return IPTRACKD_RULE_UID;
  if ((asks & IPTRACKD_RULE_REMOTE) &&
      (rule->family != event->family ||
       !iptrackd_is_in_network(event->remote, rule->remote, rule->remote_mask)))
    return IPTRACKD_RULE_REMOTE;
  if ((asks & IPTRACKD_RULE_SERVICE_PORT) &&
      (event->service_port < rule->service_port_low || event->service_port > rule->service_port_high))
    return IPTRACKD_RULE_SERVICE_PORT;
  if ((asks & IPTRACKD_RULE_REMOTE_PORT) &&
      (event->remote_port < rule->remote_port_low || event->remote_port > rule->remote_port_high))
    return IPTRACKD_RULE_REMOTE_PORT;
  if ((asks & IPTRACKD_RULE_LOCAL_PORT) &&
      (event->local_port < rule->local_port_low || event->local_port > rule->local_port_high))
    return IPTRACKD_RULE_LOCAL_PORT;
  return 0;
}

/* Do the first SIZE bytes agree? Whole words, then what is left: the verifier follows every branch of each
 * turn. Little endian, as every machine with these hooks is. */
IPTRACKD_INLINE int iptrackd_arguments_agree(const char *some, const char *others, __u32 size) {
  __u64 left = (1ULL << (8 * (size % 8))) - 1;
  __u64 difference = 0;
  __u32 at = 0;

  for (; at < IPTRACKD_RULE_ARGUMENTS_SIZE; at += 8) {
    if (at + 8 > size) break;
    difference |= iptrackd_word(some + at) ^ iptrackd_word(others + at);
  }
  if (at < IPTRACKD_RULE_ARGUMENTS_SIZE) {
    difference |= (iptrackd_word(some + at) ^ iptrackd_word(others + at)) & left;
  }
  return difference == 0;
}

/* The same of an exec rule. */
IPTRACKD_INLINE int iptrackd_exec_rule_unmet(const struct iptrackd_exec_rule *rule,
                                             const struct iptrackd_exec_question *event) {
  __u8 asks = rule->asks;

  if ((asks & IPTRACKD_RULE_NOT_ROOT) && (event->uid == 0 || event->euid == 0)) return IPTRACKD_RULE_NOT_ROOT;
  if ((asks & IPTRACKD_RULE_UID) && rule->uid != event->uid) return IPTRACKD_RULE_UID;
  if ((asks & IPTRACKD_RULE_ARGUMENTS) &&
      (event->arguments_size < rule->arguments_size ||
       !iptrackd_arguments_agree(event->arguments, rule->arguments, rule->arguments_size)))
    return IPTRACKD_RULE_ARGUMENTS;
  return 0;
}

#ifdef __cplusplus
static_assert(sizeof(iptrackd_program) == 16);
static_assert(sizeof(iptrackd_program_rules) == 256);
static_assert(sizeof(iptrackd_rule_key) == 24);
static_assert(sizeof(iptrackd_network_rule) == 64);
static_assert(sizeof(iptrackd_exec_rule) == 256);
static_assert(sizeof(iptrackd_network_question) == 48);
#endif

#endif
