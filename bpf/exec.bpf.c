/* exec: what was really executed, with the arguments that the new program really got.
 *
 * Why sched_process_exec: the new mm holds argv as the kernel copied it, and nothing of the new program has
 * run yet, so that nobody can have changed it; every way to exec ends here (execve, execveat, 32-bit, from
 * any thread). A failed exec has no such hook where trampolines are refused: the exit of the call knows the
 * errno, and the name that was asked for is in the caller's memory only, so it is marked. */
#include "call.h"
#include "scratch.h"
#include "task.h"

/* argv lies in one piece, behind the paths. */
static __always_inline __u64 exec__read_args(struct scratch *scratch, struct mm_struct *mm) {
  unsigned long start = BPF_CORE_READ(mm, arg_start);
  unsigned long length = BPF_CORE_READ(mm, arg_end) - start;
  __u64 size = length < args_max_bytes ? length : args_max_bytes;

  if (length > args_max_bytes) scratch->event.flags |= IPTRACKD_FLAG_ARGS_TRUNCATED;
  if (size > IPTRACKD_ARGS_MAX) size = IPTRACKD_ARGS_MAX;
  if (bpf_probe_read_user(scratch->data + scratch__used(scratch), size, (const void *)start)) return 0;
  scratch->event.flags |= IPTRACKD_FLAG_ARGS;
  return size;
}

static __always_inline void exec__report(struct scratch *scratch, struct task_struct *task) {
  struct iptrackd_event *event = &scratch->event;
  __u64 args_size;

  event->flags |= IPTRACKD_FLAG_RESULT;
  event__fill_ids(event, task);
  event__fill_surroundings(event, task, NULL);
  event__fill_cwd(scratch, task);
  event__fill_cgroup(scratch, task);
  args_size = exec__read_args(scratch, BPF_CORE_READ(task, mm));
  event->args_size = args_size;
  event__submit(event, sizeof(*event) + scratch__used(scratch) + args_size);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_done, struct task_struct *task, int old_pid, struct linux_binprm *bprm) {
  __u64 call = (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)old_pid;
  struct exec_scratch *area = exec_scratch__take();
  struct scratch *scratch = &area->common;

  bpf_map_delete_elem(&calls, &call);
  if (!area) {
    process__forget(BPF_CORE_READ(task, tgid)); /* it does not run that any more */
    return 0;
  }
  process__learn(scratch, task, BPF_CORE_READ(bprm, file));
  if (want_exec) exec__report(scratch, task);
  scratch__give_back(scratch);
  return 0;
}

SEC("tp/syscalls/sys_enter_execve")
int execve_enter(struct trace_event_raw_sys_enter *context) {
  call__begin(IPTRACKD_KIND_EXEC, 0, BPF_CORE_READ(context, args[0]), 0);
  return 0;
}

SEC("tp/syscalls/sys_enter_execveat")
int execveat_enter(struct trace_event_raw_sys_enter *context) {
  call__begin(IPTRACKD_KIND_EXEC, 0, BPF_CORE_READ(context, args[1]), 0);
  return 0;
}

static __always_inline void event__fill_name(struct scratch *scratch, const struct call *call) {
  long size = bpf_probe_read_user_str(scratch->data, IPTRACKD_PATH_MAX, (const void *)call->address);

  if (size <= 1) return; /* unreadable, or empty: a descriptor was executed */
  scratch->used = size;
  scratch->event.exe_size = size;
  scratch->event.flags |= IPTRACKD_FLAG_EXE | IPTRACKD_FLAG_EXE_VERBATIM | IPTRACKD_FLAG_UNTRUSTED;
}

static __always_inline void exec__report_failure(const struct call *call, __s32 result) {
  struct scratch *scratch = network_scratch__take(IPTRACKD_KIND_EXEC);
  struct task_struct *task = task__current();

  if (!scratch) return;
  scratch->event.result = result;
  scratch->event.flags |= IPTRACKD_FLAG_RESULT;
  event__fill_ids(&scratch->event, task);
  event__fill_surroundings(&scratch->event, task, NULL);
  event__fill_name(scratch, call);
  event__fill_cwd(scratch, task);
  event__fill_cgroup(scratch, task);
  scratch__submit(scratch);
}

static __always_inline void exec__returned(long result) {
  struct call call;

  if (!call__end(&call) || result >= 0 || !want_exec) return;
  exec__report_failure(&call, (__s32)result);
}

SEC("tp/syscalls/sys_exit_execve")
int execve_exit(struct trace_event_raw_sys_exit *context) {
  exec__returned(BPF_CORE_READ(context, ret));
  return 0;
}

SEC("tp/syscalls/sys_exit_execveat")
int execveat_exit(struct trace_event_raw_sys_exit *context) {
  exec__returned(BPF_CORE_READ(context, ret));
  return 0;
}
