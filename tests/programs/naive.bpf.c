/* The control of the evasion scenarios: a tracer as it is usually written, which believes what a caller's
 * arguments say when a system call begins. It knows calls by their 64-bit numbers, close by close(2), and has
 * one ring for everything. What evades it is what iptrackd must not be evaded by. */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "naive_call.h"

#define AF_INET 2
#define AF_INET6 10

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4 << 20);
} ring SEC(".maps");

/* Of this architecture; set before the programs are loaded. */
volatile const __u64 number_connect, number_bind, number_accept, number_accept4, number_close;
volatile const __u64 number_execve, number_execveat;

static __always_inline void call__read_address(struct naive_call *call, const void *pointer) {
  struct sockaddr_in6 address = {};
  struct sockaddr_in *v4 = (struct sockaddr_in *)&address;

  if (bpf_probe_read_user(&address, sizeof(*v4), pointer)) return;
  call->family = address.sin6_family;
  call->port = address.sin6_port;
  if (address.sin6_family == AF_INET) {
    __builtin_memcpy(call->address, &v4->sin_addr, 4);
  } else if (address.sin6_family == AF_INET6) {
    bpf_probe_read_user(call->address, sizeof(call->address), pointer + 8);
  }
}

static __always_inline void call__read_program(struct naive_call *call, const void *name,
                                               const __u64 *arguments) {
  __u64 argument = 0;

  bpf_probe_read_user_str(call->name, sizeof(call->name), name);
  if (bpf_probe_read_user(&argument, sizeof(argument), arguments + 1) || !argument) return;
  bpf_probe_read_user_str(call->argument, sizeof(call->argument), (const void *)argument);
}

static __always_inline int number__is_wanted(__u64 number) {
  return number == number_connect || number == number_bind || number == number_accept ||
         number == number_accept4 || number == number_close || number == number_execve ||
         number == number_execveat;
}

static __always_inline void call__begin(struct naive_call *call, __u64 number) {
  __u64 ids = bpf_get_current_pid_tgid();

  __builtin_memset(call, 0, sizeof(*call));
  call->monotonic_ns = bpf_ktime_get_ns();
  call->pid = ids >> 32;
  call->tid = (__u32)ids;
  call->number = number;
}

SEC("raw_tp/sys_enter")
int call_begins(struct bpf_raw_tracepoint_args *context) {
  struct pt_regs *regs = (struct pt_regs *)context->args[0];
  __u64 number = context->args[1];
  struct naive_call *call;

  if (!number__is_wanted(number)) return 0;
  call = bpf_ringbuf_reserve(&ring, sizeof(*call), 0);
  if (!call) return 0;
  call__begin(call, number);
  if (number == number_execve) {
    call__read_program(call, (const void *)PT_REGS_PARM1_CORE_SYSCALL(regs),
                       (const __u64 *)PT_REGS_PARM2_CORE_SYSCALL(regs));
  } else if (number == number_execveat) {
    call->fd = PT_REGS_PARM1_CORE_SYSCALL(regs);
    call__read_program(call, (const void *)PT_REGS_PARM2_CORE_SYSCALL(regs),
                       (const __u64 *)PT_REGS_PARM3_CORE_SYSCALL(regs));
  } else {
    call->fd = PT_REGS_PARM1_CORE_SYSCALL(regs);
  }
  if (number == number_connect || number == number_bind)
    call__read_address(call, (const void *)PT_REGS_PARM2_CORE_SYSCALL(regs));
  /* Drained by the clock, as tracers do that spare themselves a wake-up for each event. */
  bpf_ringbuf_submit(call, BPF_RB_NO_WAKEUP);
  return 0;
}

char LICENSE[] SEC("license")
= "Dual BSD/GPL";
