/* exec: what was really executed, with the arguments that the new program really got.
 *
 * Why sched_process_exec: the new mm holds argv as the kernel copied it, and nothing of the new program has
 * run yet, so that nobody can have changed it; every way to exec ends here (execve, execveat, 32-bit, from
 * any thread).
 *
 * A failed exec has no such hook. With trampolines: alloc_bprm has the kernel's copy of the name (from 6.8 on
 * it also opens the file, and fails where there is none), bprm_execve the result of nearly all that can go
 * wrong after that. The rest (too many arguments, no memory, a name that cannot be read) only the system call
 * itself knows, when the copy is gone: there, and without trampolines always, the name is in the caller's
 * memory only, and marked. */
#include "call.h"
#include "compat.h"
#include "scratch.h"
#include "task.h"
#include "whitelist.h"

#define EXEC_FIRST_ARGUMENT_MAX 4096

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

/* Is it the PAM callback, run by root? Others may take its name, but not root's real uid: a set-uid program
 * keeps that of who ran it. */
static __always_inline int event__is_of_callback(const struct iptrackd_event *event) {
  const char name[IPTRACKD_COMM_SIZE] = IPTRACKD_CALLBACK_COMM;
  int differences = event->uid != 0;

#pragma unroll
  for (int i = 0; i < IPTRACKD_COMM_SIZE; i++) differences |= event->comm[i] ^ name[i];
  return differences == 0;
}

/* The environment lies behind the arguments. */
static __always_inline __u64 exec__read_environment(struct scratch *scratch, struct mm_struct *mm,
                                                    __u64 behind) {
  unsigned long start = BPF_CORE_READ(mm, env_start);
  __u64 size = BPF_CORE_READ(mm, env_end) - start;

  if (size > IPTRACKD_ENVIRONMENT_MAX) size = IPTRACKD_ENVIRONMENT_MAX;
  if (bpf_probe_read_user(scratch->data + scratch__used(scratch) + behind, size, (const void *)start))
    return 0;
  return size;
}

/* The arguments behind argv[0], for the whitelist. None where argv[0] is too long to find its end. */
static __always_inline void question__fill_arguments(struct iptrackd_exec_question *question,
                                                     struct exec_scratch *area, struct mm_struct *mm) {
  unsigned long start = BPF_CORE_READ(mm, arg_start);
  unsigned long end = BPF_CORE_READ(mm, arg_end);
  long first = bpf_probe_read_user_str(area->more, EXEC_FIRST_ARGUMENT_MAX, (const void *)start);
  __u64 size = end - start - first;

  question->arguments_size = 0;
  if (first <= 0 || first >= EXEC_FIRST_ARGUMENT_MAX || (unsigned long)first > end - start) return;
  if (size > IPTRACKD_RULE_ARGUMENTS_SIZE) size = IPTRACKD_RULE_ARGUMENTS_SIZE;
  if (bpf_probe_read_user(question->arguments, size, (const void *)(start + first))) return;
  question->arguments_size = size;
}

/* Root's PAM callback is a witness of logins: it is never dropped. */
static __always_inline int exec__is_dropped(struct exec_scratch *area, struct task_struct *task) {
  struct scratch *scratch = &area->common;
  struct whitelist_question *question = question__of(scratch);

  if (!question || event__is_of_callback(&scratch->event)) return 0;
  question__fill_arguments(&question->exec, area, BPF_CORE_READ(task, mm));
  return whitelist__drops_exec(scratch, question);
}

static __always_inline void exec__report(struct exec_scratch *area, struct task_struct *task) {
  struct scratch *scratch = &area->common;
  struct iptrackd_event *event = &scratch->event;
  __u64 environment_size = 0;
  __u64 args_size;

  event->flags |= IPTRACKD_FLAG_RESULT;
  event__fill_ids(event, task);
  if (exec__is_dropped(area, task)) {
    event__count(IPTRACKD_KIND_EXEC, IPTRACKD_CAUSE_WHITELISTED);
    return;
  }
  event__fill_surroundings(event, task, NULL);
  event__fill_cwd(scratch, task);
  event__fill_cgroup(scratch, task);
  args_size = exec__read_args(scratch, BPF_CORE_READ(task, mm));
  event->args_size = args_size;
  if (event__is_of_callback(event)) {
    environment_size = exec__read_environment(scratch, BPF_CORE_READ(task, mm), args_size);
  }
  event->environment_size = environment_size;
  event__submit(event, sizeof(*event) + scratch__used(scratch) + args_size + environment_size);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_done, struct task_struct *task, int old_pid, struct linux_binprm *bprm) {
  __u64 call = (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)old_pid;
  struct exec_scratch *area;
  struct scratch *scratch;

  HOOK(exec_done); /* before anything is taken that must be given back */
  area = exec_scratch__take();
  scratch = &area->common;
  bpf_map_delete_elem(&calls, &call);
  if (!area) {
    process__forget(BPF_CORE_READ(task, tgid)); /* it does not run that any more */
    return 0;
  }
  process__learn(scratch, task, BPF_CORE_READ(bprm, file), BPF_ANY);
  if (want_exec) exec__report(area, task);
  scratch__give_back(scratch);
  return 0;
}

/* NAME is the kernel's copy, or, if that is NULL, ADDRESS is the caller's. */
static __always_inline void event__fill_name(struct scratch *scratch, const char *name, __u64 address) {
  long size;

  if (name) {
    size = bpf_probe_read_kernel_str(scratch->data, IPTRACKD_PATH_MAX, name);
  } else {
    size = bpf_probe_read_user_str(scratch->data, IPTRACKD_PATH_MAX, (const void *)address);
  }
  if (size <= 1) return; /* unreadable, or empty: a descriptor was executed */
  scratch->used = size;
  scratch->event.exe_size = size;
  scratch->event.flags |= IPTRACKD_FLAG_EXE | IPTRACKD_FLAG_EXE_VERBATIM;
  if (!name) scratch->event.flags |= IPTRACKD_FLAG_UNTRUSTED;
}

/* Nothing was executed: there is no file that a rule could mean, and no arguments. Rules for any program
 * hold. */
static __always_inline int exec__failure_is_dropped(struct scratch *scratch) {
  struct whitelist_question *question = question__of(scratch);

  if (!question) return 0;
  question->exec.arguments_size = 0;
  return whitelist__drops_exec(scratch, question);
}

static __noinline void exec__report_failure(const char *name, __u64 address, __s32 result) {
  struct scratch *scratch = network_scratch__take(IPTRACKD_KIND_EXEC);
  struct task_struct *task = task__current();

  if (!scratch) return;
  scratch->event.result = result;
  scratch->event.flags |= IPTRACKD_FLAG_RESULT;
  event__fill_ids(&scratch->event, task);
  if (exec__failure_is_dropped(scratch)) {
    scratch__drop(scratch);
    return;
  }
  event__fill_surroundings(&scratch->event, task, NULL);
  event__fill_name(scratch, name, address);
  event__fill_cwd(scratch, task);
  event__fill_cgroup(scratch, task);
  scratch__submit(scratch);
}

/* fentry ------------------------------------------------------------------------------------------------- */

#define MAX_ERRNO 4095

static __always_inline int is_error(const void *pointer) {
  return (unsigned long)pointer >= (unsigned long)-MAX_ERRNO;
}

/* The call remembers the kernel's struct filename until its failure is reported. */
static __always_inline void exec__opened(struct filename *filename, struct linux_binprm *bprm) {
  struct call call = {.kind = IPTRACKD_KIND_EXEC};

  if (is_error(bprm)) {
    exec__report_failure(BPF_CORE_READ(filename, name), 0, (__s32)(long)bprm);
  } else {
    call.address = (__u64)filename;
  }
  call__remember(&call);
}

SEC("fexit/alloc_bprm")
int BPF_PROG(exec_opened_2, int fd, struct filename *filename, struct linux_binprm *bprm) {
  HOOK(exec_opened_2);
  exec__opened(filename, bprm);
  return 0;
}

SEC("fexit/alloc_bprm")
int BPF_PROG(exec_opened_3, int fd, struct filename *filename, int flags, struct linux_binprm *bprm) {
  HOOK(exec_opened_3);
  exec__opened(filename, bprm);
  return 0;
}

static __always_inline void exec__failed(int result) {
  struct call *call = call__current(IPTRACKD_KIND_EXEC);
  struct filename *filename;

  if (result >= 0 || !call || !call->address) return;
  filename = (struct filename *)call->address;
  call->address = 0;
  exec__report_failure(BPF_CORE_READ(filename, name), 0, result);
}

SEC("fexit/bprm_execve")
int BPF_PROG(exec_failed_4, struct linux_binprm *bprm, int fd, struct filename *filename, int flags,
             int result) {
  HOOK(exec_failed_4);
  exec__failed(result);
  return 0;
}

SEC("fexit/bprm_execve")
int BPF_PROG(exec_failed_1, struct linux_binprm *bprm, int result) {
  HOOK(exec_failed_1);
  exec__failed(result);
  return 0;
}

/* What none of the hooks above has reported. NAME is the caller's pointer. */
static __always_inline void exec__returned(__u64 name, long result) {
  struct call call;
  int is_known = call__end(IPTRACKD_KIND_EXEC, &call);

  if (result < 0 && !(is_known && !call.address)) exec__report_failure(NULL, name, (__s32)result);
}

SEC("fexit/" SYSTEM_CALL("execve"))
int BPF_PROG(execve_done, const struct pt_regs *regs, long result) {
  HOOK(execve_done);
  exec__returned(PT_REGS_PARM1_CORE_SYSCALL(regs), result);
  return 0;
}

SEC("fexit/" SYSTEM_CALL("execveat"))
int BPF_PROG(execveat_done, const struct pt_regs *regs, long result) {
  HOOK(execveat_done);
  exec__returned(PT_REGS_PARM2_CORE_SYSCALL(regs), result);
  return 0;
}

/* Debian's 5.10 describes the registers of this system call by a forward declaration: no program may touch
 * them. */
SEC("fexit/" SYSTEM_CALL("execveat"))
int BPF_PROG(execveat_done_bare, const struct pt_regs *regs, long result) {
  HOOK(execveat_done_bare);
  exec__returned(0, result);
  return 0;
}

SEC("fexit/" COMPAT_SYSTEM_CALL("execve"))
int BPF_PROG(compat_execve_done, const struct pt_regs *regs, long result) {
  HOOK(compat_execve_done);
  exec__returned(compat_call__parameter_1(regs), result);
  return 0;
}

SEC("fexit/" COMPAT_SYSTEM_CALL("execveat"))
int BPF_PROG(compat_execveat_done, const struct pt_regs *regs, long result) {
  HOOK(compat_execveat_done);
  exec__returned(compat_call__parameter_2(regs), result);
  return 0;
}

/* tracepoints -------------------------------------------------------------------------------------------- */

SEC("tp/syscalls/sys_enter_execve")
int execve_enter(struct trace_event_raw_sys_enter *context) {
  HOOK(execve_enter);
  call__begin(IPTRACKD_KIND_EXEC, 0, BPF_CORE_READ(context, args[0]), 0);
  return 0;
}

SEC("tp/syscalls/sys_enter_execveat")
int execveat_enter(struct trace_event_raw_sys_enter *context) {
  HOOK(execveat_enter);
  call__begin(IPTRACKD_KIND_EXEC, 0, BPF_CORE_READ(context, args[1]), 0);
  return 0;
}

static __always_inline void exec__exited(long result) {
  struct call call;

  if (call__end(IPTRACKD_KIND_EXEC, &call) && result < 0) {
    exec__report_failure(NULL, call.address, (__s32)result);
  }
}

SEC("tp/syscalls/sys_exit_execve")
int execve_exit(struct trace_event_raw_sys_exit *context) {
  HOOK(execve_exit);
  exec__exited(BPF_CORE_READ(context, ret));
  return 0;
}

SEC("tp/syscalls/sys_exit_execveat")
int execveat_exit(struct trace_event_raw_sys_exit *context) {
  HOOK(execveat_exit);
  exec__exited(BPF_CORE_READ(context, ret));
  return 0;
}

/* Of the 32-bit table, by int 0x80 or from x32. */
SEC("tp_btf/sys_exit")
int BPF_PROG(compat_exec_exit, struct pt_regs *registers, long result) {
  struct compat_call call;

  if (!compat_call__read(registers, &call)) return 0;
  HOOK(compat_exec_exit);
  if (result < 0 && compat_call__is_exec(&call)) {
    exec__report_failure(NULL, compat_call__exec_name(&call), (__s32)result);
  }
  return 0;
}
