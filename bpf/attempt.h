/* TCP connects whose outcome is open: written down when the caller asks, completed when the answer comes. */
#ifndef IPTRACKD_BPF_ATTEMPT_H
#define IPTRACKD_BPF_ATTEMPT_H

#include "call.h"
#include "scratch.h"
#include "socket.h"
#include "task.h"
#include "use.h"
#include "whitelist.h"

static __always_inline long attempt__remember(const struct sock *sk, const struct scratch *scratch) {
  __u64 key = (__u64)sk;

  if (scratch->used <= ATTEMPT_DATA_SHORT)
    return bpf_map_update_elem(&attempts, &key, &scratch->attempted_for, BPF_ANY);
  return bpf_map_update_elem(&long_attempts, &key, &scratch->attempted_for, BPF_ANY);
}

/* The caller's identity is complete, the remote address is known, the local port is not chosen yet. */
static __always_inline void attempt__begin(struct sock *sk) {
  struct scratch *scratch = network_scratch__take(IPTRACKD_KIND_CONNECT);
  struct call *call;

  if (!scratch) return;
  event__identify(scratch);
  call = call__current(IPTRACKD_KIND_CONNECT);
  scratch->attempted_for = (__u64)sock__owner(sk);
  scratch->event.began_ns = call ? call->began_ns : scratch->event.boot_ns;
  scratch->event.flags |= IPTRACKD_FLAG_BEGAN | (call ? call->way : way__flag());
  event__fill_protocol(&scratch->event, sk);
  event__fill_remote(&scratch->event, sk);
  if (call) call->attempt = (__u64)sk;
  /* Where only the close of its socket is wanted, the attempt is kept for who began it. */
  scratch->verdict =
      want_tcp_connect ? whitelist__judge_event(scratch, scratch->event.remote_port) : WHITELIST_DROP;
  if (!(scratch->verdict & WHITELIST_DROP)) event__fill_task(scratch);
  if (!attempt__remember(sk, scratch)) {
    scratch__give_back(scratch);
    return;
  }
  /* Should it succeed, nobody will know the socket when it is closed. */
  if (want_tcp_close) event__count(IPTRACKD_KIND_CLOSE, IPTRACKD_CAUSE_MAP_FULL);
  if (!want_tcp_connect) {
    scratch__give_back(scratch);
  } else if (scratch->verdict & WHITELIST_DROP) {
    scratch__drop(scratch);
  } else {
    scratch__submit(scratch); /* better a row without an outcome than none */
  }
}

static __always_inline int attempt__is_open(const struct sock *sk) {
  __u64 key = (__u64)sk;

  return bpf_map_lookup_elem(&attempts, &key) || bpf_map_lookup_elem(&long_attempts, &key);
}

static __always_inline void attempt__complete(struct iptrackd_event *event, struct sock *sk, __u64 used,
                                              __s32 result) {
  event->boot_ns = bpf_ktime_get_boot_ns();
  event->result = result;
  event->flags |= IPTRACKD_FLAG_RESULT;
  event__fill_local(event, sk);
  if (result == 0) socket__use((struct sock *)used, event, event->began_ns, SOCKET_STREAM | SOCKET_ACTIVE);
}

static __always_inline __u32 event__data_size(const struct iptrackd_event *event) {
  return event->exe_size + event->cgroup_size + event->batch_cgroup_size;
}

/* A rule that asks for the local port had to wait for it. */
static __noinline int attempt__is_dropped(const struct iptrackd_event *event, __u64 verdict) {
  struct scratch *scratch;

  if (verdict & WHITELIST_DROP) return 1;
  if (!(verdict & WHITELIST_ASKS_LOCAL_PORT)) return 0;
  scratch = network_scratch__try(IPTRACKD_KIND_CONNECT);
  if (!scratch) return 0;
  bpf_probe_read_kernel(&scratch->event, sizeof(scratch->event), event);
  verdict = whitelist__judge_event(scratch, event->remote_port);
  scratch__give_back(scratch);
  return verdict & WHITELIST_DROP;
}

/* Hands over a completed attempt whose data is at most DATA_MAX bytes long. */
static __always_inline void attempt__submit(struct iptrackd_event *event, __u64 verdict, __u32 data_max) {
  __u32 size = event__data_size(event);

  if (!want_tcp_connect) return;
  if (attempt__is_dropped(event, verdict)) {
    event__count(IPTRACKD_KIND_CONNECT, IPTRACKD_CAUSE_WHITELISTED);
  } else if (size <= data_max) {
    event__submit(event, sizeof(*event) + size);
  }
}

/* The outcome of the attempt on SK, if there is one. The socket's lock makes us the only ones at work on it.
 */
static __noinline int attempt__end(struct sock *sk, __s32 result) {
  __u64 key = (__u64)sk;
  struct attempt *attempt = bpf_map_lookup_elem(&attempts, &key);
  struct long_attempt *long_attempt;

  if (attempt) {
    attempt__complete(&attempt->event, sk, attempt->sock, result);
    attempt__submit(&attempt->event, attempt->verdict, ATTEMPT_DATA_SHORT);
    bpf_map_delete_elem(&attempts, &key);
    return 1;
  }
  long_attempt = bpf_map_lookup_elem(&long_attempts, &key);
  if (!long_attempt) return 0;
  attempt__complete(&long_attempt->event, sk, long_attempt->sock, result);
  attempt__submit(&long_attempt->event, long_attempt->verdict, ATTEMPT_DATA_LONG);
  bpf_map_delete_elem(&long_attempts, &key);
  return 1;
}

#endif
