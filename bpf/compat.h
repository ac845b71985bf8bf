/* System calls of the 32-bit table and of x32, as the registers have them when they end: no tracepoint of
 * their own exists. */
#ifndef IPTRACKD_BPF_COMPAT_H
#define IPTRACKD_BPF_COMPAT_H

#include "way.h"

struct compat_call {
  __u32 number;
  __u32 is_x32;
  __u64 parameter_1;
  __u64 parameter_2;
};

#if defined(__TARGET_ARCH_x86)

/* 0 where it is a call of the 64-bit table. */
static __always_inline int compat_call__read(const struct pt_regs *registers, struct compat_call *call) {
  unsigned long number = BPF_CORE_READ(registers, orig_ax);

  call->number = (__u32)number & ~X32_SYSTEM_CALL_BIT;
  call->is_x32 = (number & X32_SYSTEM_CALL_BIT) != 0;
  if (call->is_x32) {
    call->parameter_1 = BPF_CORE_READ(registers, di);
    call->parameter_2 = BPF_CORE_READ(registers, si);
    return 1;
  }
  if (!(BPF_CORE_READ(task__current(), thread_info.status) & TS_COMPAT)) return 0;
  call->parameter_1 = (__u32)BPF_CORE_READ(registers, bx);
  call->parameter_2 = (__u32)BPF_CORE_READ(registers, cx);
  return 1;
}

/* arch/x86/entry/syscalls/syscall_32.tbl and syscall_64.tbl; socketcall's numbers: include/uapi/linux/net.h
 */
static __always_inline int compat_call__is_accept(const struct compat_call *call) {
  if (call->is_x32) return call->number == 43 || call->number == 288;
  if (call->number == 102) return call->parameter_1 == 5 || call->parameter_1 == 18;
  return call->number == 364;
}

static __always_inline int compat_call__is_execveat(const struct compat_call *call) {
  return call->number == (call->is_x32 ? 545 : 358);
}

static __always_inline int compat_call__is_exec(const struct compat_call *call) {
  return call->number == (call->is_x32 ? 520 : 11) || compat_call__is_execveat(call);
}

#else

/* 32-bit programs of other architectures are not told apart here. */
static __always_inline int compat_call__read(const struct pt_regs *registers, struct compat_call *call) {
  return 0;
}
static __always_inline int compat_call__is_accept(const struct compat_call *call) {
  return 0;
}
static __always_inline int compat_call__is_execveat(const struct compat_call *call) {
  return 0;
}
static __always_inline int compat_call__is_exec(const struct compat_call *call) {
  return 0;
}

#endif

/* The name's place in the caller's memory. */
static __always_inline __u64 compat_call__exec_name(const struct compat_call *call) {
  return compat_call__is_execveat(call) ? call->parameter_2 : call->parameter_1;
}

#endif
