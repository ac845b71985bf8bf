/* Work areas: take one, build the event in it, give it back.
 *
 * A softirq or another task may run a program of ours on this CPU while one is under way here, so that each
 * CPU has several areas. Taking one is an atomic add and a look at the sum: it needs no fetching atomics
 * (5.10 has none), and if two programs collide each sees a sum above 1, and both go on to the next area. */
#ifndef IPTRACKD_BPF_SCRATCH_H
#define IPTRACKD_BPF_SCRATCH_H

#include "emit.h"

static __always_inline int scratch__take(__u32 *busy) {
  __sync_fetch_and_add(busy, 1);
  if (*(volatile __u32 *)busy == 1) return 1;
  __sync_fetch_and_add(busy, -1);
  return 0;
}

static __always_inline struct scratch *scratch__begin(struct scratch *scratch, __u32 kind, __u32 question) {
  struct iptrackd_event *event = &scratch->event;

  scratch->used = 0;
  scratch->question = question;
  __builtin_memset(event, 0, sizeof(*event));
  event->version = IPTRACKD_WIRE_VERSION;
  event->fixed_size = sizeof(*event);
  event->kind = kind;
  event->boot_ns = bpf_ktime_get_boot_ns();
  return scratch;
}

/* An area with the beginnings of an event of KIND, or NULL. Give it back. */
static __always_inline struct scratch *network_scratch__try(__u32 kind) {
  __u32 first = bpf_get_smp_processor_id() * SCRATCH_SLOTS;

#pragma unroll
  for (__u32 slot = 0; slot < SCRATCH_SLOTS; slot++) {
    __u32 key = first + slot;
    struct scratch *scratch = bpf_map_lookup_elem(&network_scratches, &key);

    if (scratch && scratch__take(&scratch->busy)) return scratch__begin(scratch, kind, 2 * key);
  }
  return NULL;
}

/* The same for an event that is to be reported: without an area it is counted as lost. */
static __always_inline struct scratch *network_scratch__take(__u32 kind) {
  struct scratch *scratch = network_scratch__try(kind);

  if (!scratch) event__count(kind, IPTRACKD_CAUSE_NO_SCRATCH);
  return scratch;
}

/* The same with room for argv behind the paths. */
static __always_inline struct exec_scratch *exec_scratch__take(void) {
  __u32 first = bpf_get_smp_processor_id() * SCRATCH_SLOTS;

#pragma unroll
  for (__u32 slot = 0; slot < SCRATCH_SLOTS; slot++) {
    __u32 key = first + slot;
    struct exec_scratch *scratch = bpf_map_lookup_elem(&exec_scratches, &key);

    if (!scratch || !scratch__take(&scratch->common.busy)) continue;
    scratch__begin(&scratch->common, IPTRACKD_KIND_EXEC, 2 * key + 1);
    return scratch;
  }
  event__count(IPTRACKD_KIND_EXEC, IPTRACKD_CAUSE_NO_SCRATCH);
  return NULL;
}

/* By its number a function that is given nothing but numbers finds an area again. */
static __always_inline __u32 scratch__number(const struct scratch *scratch) {
  return scratch->question;
}

static __always_inline struct scratch *scratch__at(__u32 number) {
  __u32 key = number >> 1;

  return number & 1 ? bpf_map_lookup_elem(&exec_scratches, &key)
                    : bpf_map_lookup_elem(&network_scratches, &key);
}

static __always_inline void scratch__give_back(struct scratch *scratch) {
  __sync_fetch_and_add(&scratch->busy, -1);
}

/* How much of data is used. Read from memory each time and masked: to the verifier it is then any number
 * within bounds, so that all turns of a loop and all ways out of it look alike; it would follow every
 * combination otherwise. */
static __always_inline __u64 scratch__used(const struct scratch *scratch) {
  __u64 used = *(volatile const __u32 *)&scratch->used;

  asm volatile("%0 &= %1" : "+r"(used) : "i"(SCRATCH_PATHS - 1));
  return used;
}

/* Appends a string of the kernel's, at most COMPONENT_SIZE bytes with its NUL. */
static __always_inline void scratch__append(struct scratch *scratch, const void *string) {
  __u64 used = scratch__used(scratch);
  long size = bpf_probe_read_kernel_str(scratch->data + used, COMPONENT_SIZE, string);

  if (size > 0) scratch->used = used + size;
}

/* Hands the event over with all its data, and gives the area back. */
static __always_inline void scratch__submit(struct scratch *scratch) {
  event__submit(&scratch->event, sizeof(scratch->event) + scratch__used(scratch));
  scratch__give_back(scratch);
}

#endif
