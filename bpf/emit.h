/* Counting and handing over. Every path that ends an event goes through here, so that the books balance. */
#ifndef IPTRACKD_BPF_EMIT_H
#define IPTRACKD_BPF_EMIT_H

#include "budget.h"

static __always_inline void event__count(__u32 kind, __u32 cause) {
  __u32 key = kind * IPTRACKD_CAUSE_COUNT + cause;
  __u64 *counter = bpf_map_lookup_elem(&counters, &key);

  /* Atomic although it is per CPU: programs are preempted by softirqs and by each other. */
  if (counter) __sync_fetch_and_add(counter, 1);
}

/* HOOK runs on behalf of the process TGID. */
static __always_inline void hook__hit_by(const __u32 hook, __u32 tgid) {
  __u32 key =
      hook; /* a copy: HOOK itself stays a constant, which the verifier can hold against the array's bounds */
  __u64 *count = bpf_map_lookup_elem(&hits, &key);

  if (count) __sync_fetch_and_add(count, 1);
  if (self_test_tgid && tgid == self_test_tgid) self_test_seen[hook] = 1;
}

static __always_inline __u32 task__tgid(void) {
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();

  return BPF_CORE_READ(task, tgid);
}

/* While one set of programs takes over from another both are attached, and only one may act. */
static __always_inline bool hook__is_in_force(void) {
  __u32 key = 0;
  __u32 *in_force = bpf_map_lookup_elem(&generation, &key);

  return in_force && *in_force == own_generation;
}

/* The first statement of every program but the iterators, which run once, for the set that they belong to. */
#define HOOK_OR_RETURN(name, idle)       \
  if (!hook__is_in_force()) return idle; \
  hook__hit_by(IPTRACKD_HOOK_##name, self_test_tgid ? task__tgid() : 0)
#define HOOK(name) HOOK_OR_RETURN(name, 0)

/* A wake-up for each event would cost more than all the rest; the reader drains on a timer. Only when it said
 * that it goes to sleep does the next event wake it. Two CPUs may both do so: harmless. */
static __always_inline __u64 ring__wakeup(void) {
  if (!reader_asleep) return BPF_RB_NO_WAKEUP;
  reader_asleep = 0;
  return BPF_RB_FORCE_WAKEUP;
}

/* SIZE is that of the whole record and at most the size of the area that EVENT stands in. */
static __always_inline void event__submit(struct iptrackd_event *event, __u32 size) {
  __u32 kind = event->kind;
  long error;

  if (!budget__allows(event)) {
    event__count(kind, IPTRACKD_CAUSE_OVER_BUDGET);
    return;
  }
  if (kind == IPTRACKD_KIND_EXEC) {
    error = bpf_ringbuf_output(&exec_ring, event, size, ring__wakeup());
  } else {
    error = bpf_ringbuf_output(&network_ring, event, size, ring__wakeup());
  }
  if (kind >= IPTRACKD_KIND_COUNT) return;
  event__count(kind, error ? IPTRACKD_CAUSE_RING_FULL : IPTRACKD_CAUSE_SUBMITTED);
}

#endif
