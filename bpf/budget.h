/* What each user may report in a second, execs and the rest apart: one user's flood must not fill the ring
 * for everybody. What is over it is counted by user and kind. */
#ifndef IPTRACKD_BPF_BUDGET_H
#define IPTRACKD_BPF_BUDGET_H

#include "maps.h"

#define BUDGET_WINDOW_NS 1000000000ULL

static __always_inline struct budget *budget__of(__u32 uid) {
  struct budget *known = bpf_map_lookup_elem(&budgets, &uid);
  struct budget fresh = {};

  if (known) return known;
  /* Another CPU may do the same: then its entry is as good. */
  bpf_map_update_elem(&budgets, &uid, &fresh, BPF_NOEXIST);
  return bpf_map_lookup_elem(&budgets, &uid);
}

/* May EVENT be reported? Where the table of users is full, it may. The window is begun without a lock: two
 * CPUs that do so at once allow a few events more. */
static __always_inline bool budget__allows(const struct iptrackd_event *event) {
  struct budget *budget;
  __u32 kind = event->kind;
  __u64 *used;

  if (!user_budget || kind >= IPTRACKD_KIND_COUNT) return true;
  budget = budget__of(event->uid);
  if (!budget) return true;
  if (event->boot_ns - budget->window_ns >= BUDGET_WINDOW_NS && event->boot_ns > budget->window_ns) {
    budget->window_ns = event->boot_ns;
    budget->execs = 0;
    budget->others = 0;
  }
  used = kind == IPTRACKD_KIND_EXEC ? &budget->execs : &budget->others;
  __sync_fetch_and_add(used, 1);
  if (*used <= user_budget) return true;
  __sync_fetch_and_add(&budget->refused[kind], 1);
  return false;
}

#endif
