/* The whitelist, as the hooks ask it: may this event be dropped, before more of it is built? */
#ifndef IPTRACKD_BPF_WHITELIST_H
#define IPTRACKD_BPF_WHITELIST_H

#include "process.h"

#include <bpf/bpf_endian.h>

/* Verdicts. */
#define WHITELIST_RULE 0x7fU             /* which rule, if it is to be dropped: its number */
#define WHITELIST_ANY_PROGRAM 0x80U      /* it is one of those for any program */
#define WHITELIST_DROP 0x100U            /* a rule matches */
#define WHITELIST_ASKS_LOCAL_PORT 0x200U /* one would, were the local port known */

/* They judge the question at INDEX. Functions of their own for the verifier: it looks at them once, not at
 * each call, and can be given nothing but numbers (5.10). COUNTS: the rule's hits. */
int whitelist__judge_network(__u32 index, __u32 counts);
int whitelist__judge_exec(__u32 index, __u32 counts);

static __always_inline struct whitelist_question *question__of(const struct scratch *scratch) {
  __u32 index = scratch->question;

  return bpf_map_lookup_elem(&whitelist_questions, &index);
}

/* An IPv4 peer of an IPv6 socket is an IPv4 peer. */
static __always_inline void question__fill_remote(struct iptrackd_network_question *question,
                                                  const struct iptrackd_event *event) {
  const __u64 *address = (const __u64 *)event->remote;
  const __u32 *words = (const __u32 *)event->remote;

  question->family = 0;
  question->remote_port = 0;
  if (!(event->flags & IPTRACKD_FLAG_REMOTE)) return;
  question->family = event->family;
  question->remote_port = event->remote_port;
  __builtin_memcpy(question->remote, event->remote, sizeof(question->remote));
  if (event->family != AF_INET6 || address[0] != 0 || words[2] != bpf_htonl(0xffff)) return;
  question->family = AF_INET;
  __builtin_memset(question->remote, 0, sizeof(question->remote));
  __builtin_memcpy(question->remote, event->remote + 12, 4);
}

/* The daemon's own deeds are for its eyes only, and must reach them. */
static __always_inline __u32 whitelist__judge_event(const struct scratch *scratch, __u16 service_port) {
  const struct iptrackd_event *event = &scratch->event;
  struct whitelist_question *question = question__of(scratch);
  struct iptrackd_network_question *network;

  if (!question || (event->flags & IPTRACKD_FLAG_SELF_TEST)) return 0;
  network = &question->network;
  program__of_event(&network->program, event);
  question__fill_remote(network, event);
  network->uid = event->uid;
  network->service_port = service_port;
  network->local_port = event->flags & IPTRACKD_FLAG_LOCAL ? event->local_port : 0;
  network->kind = event->kind;
  return whitelist__judge_network(scratch->question, 1);
}

static __always_inline int whitelist__drops_exec(const struct scratch *scratch,
                                                 struct whitelist_question *question) {
  const struct iptrackd_event *event = &scratch->event;

  if (event->flags & IPTRACKD_FLAG_SELF_TEST) return 0;
  program__of_event(&question->exec.program, event);
  question->exec.uid = event->uid;
  question->exec.euid = event->euid;
  return whitelist__judge_exec(scratch->question, 1) & WHITELIST_DROP;
}

static __always_inline void scratch__drop(struct scratch *scratch) {
  event__count(scratch->event.kind, IPTRACKD_CAUSE_WHITELISTED);
  scratch__give_back(scratch);
}

/* By the configuration, unless it IS_WANTED, or by a rule, which is counted. If so, the area is given back.
 */
static __always_inline int event__is_dropped(struct scratch *scratch, int is_wanted, __u16 service_port) {
  if (!is_wanted) {
    scratch__give_back(scratch);
    return 1;
  }
  if (!(whitelist__judge_event(scratch, service_port) & WHITELIST_DROP)) return 0;
  scratch__drop(scratch);
  return 1;
}

#endif
