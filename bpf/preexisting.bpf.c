/* What was there before us: the processes, and the sockets that they hold. Run once, when all other hooks are
 * attached: what they have learnt by then is never overwritten.
 *
 * Why iterators: they show the kernel's own objects, whatever namespace they are in; /proc would tell neither
 * a socket's address in the kernel, which is our key, nor a process's file. A socket that no descriptor
 * refers to (in a queue of passed descriptors, in a table of io_uring) is not found. */
#include "scratch.h"
#include "socket.h"
#include "task.h"
#include "use.h"

SEC("iter/task")
int old_process(struct bpf_iter__task *context) {
  struct task_struct *task = context->task;
  struct scratch *scratch;
  struct file *file;

  hook__hit_by(IPTRACKD_HOOK_old_process, 0);
  if (!task || BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid)) return 0;
  file = BPF_CORE_READ(task, mm, exe_file);
  if (!file || process__find(task)) return 0;
  scratch = network_scratch__take(IPTRACKD_KIND_EXEC);
  if (!scratch) return 0;
  process__learn(scratch, task, file, BPF_NOEXIST);
  scratch__give_back(scratch);
  return 0;
}

/* Bound, connected or listening: something whose close is a row. An attempt that is still open is not. */
static __always_inline __u32 sock__use_flags(struct sock *sk) {
  __u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);
  __u32 flags = SOCKET_PREEXISTING;

  if (state == TCP_SYN_SENT || state == TCP_SYN_RECV) return 0;
  if (state == TCP_CLOSE || state == TCP_LISTEN) return sock__local_port(sk) ? flags : 0;
  return flags | SOCKET_REMOTE;
}

static __always_inline void socket__take_in(struct scratch *scratch, struct sock *sk, __u32 flags) {
  struct iptrackd_event *event = &scratch->event;
  __u64 key = (__u64)sk;
  struct used_socket socket = {.flags = flags};
  long error;

  event__fill_protocol(event, sk);
  event__fill_local(event, sk);
  if (flags & SOCKET_REMOTE) event__fill_remote(event, sk);
  socket.protocol = event->protocol;
  socket.family = event->family;
  socket.local_port = event->local_port;
  socket.remote_port = event->remote_port;
  __builtin_memcpy(socket.local, event->local, sizeof(socket.local));
  __builtin_memcpy(socket.remote, event->remote, sizeof(socket.remote));
  error = bpf_map_update_elem(&sockets, &key, &socket, BPF_NOEXIST);
  if (error && error != -EEXIST) event__count(IPTRACKD_KIND_CLOSE, IPTRACKD_CAUSE_MAP_FULL);
}

SEC("iter/task_file")
int old_socket(struct bpf_iter__task_file *context) {
  struct file *file = context->file;
  struct scratch *scratch;
  struct sock *sk;
  __u32 flags;

  hook__hit_by(IPTRACKD_HOOK_old_socket, 0);
  sk = file ? file__sock(file) : NULL;
  if (!sk) return 0;
  flags = sock__use_flags(sk);
  if (!flags || socket__find(sk)) return 0;
  scratch = network_scratch__take(IPTRACKD_KIND_CLOSE);
  if (!scratch) return 0;
  socket__take_in(scratch, sk, flags);
  scratch__give_back(scratch);
  return 0;
}
