#include "confine/system_calls.h"

#include <linux/bpf.h>
#include <seccomp.h>

#include <array>
#include <cerrno>
#include <memory>
#include <type_traits>

namespace iptrackd::confine {
namespace {

struct Release {
  void operator()(void *filter) const noexcept { seccomp_release(filter); }
};
using Filter = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Release>;

// By what they are for. Names that an architecture does not have, or this libseccomp not know, are left out.
constexpr std::array files{
    "access",     "chdir",      "chmod",     "chown",     "close",           "close_range", "creat",
    "dup",        "dup2",       "dup3",      "faccessat", "faccessat2",      "fadvise64",   "fallocate",
    "fchdir",     "fchmod",     "fchmodat",  "fchown",    "fchownat",        "fcntl",       "fdatasync",
    "flock",      "fstat",      "fstatfs",   "fsync",     "ftruncate",       "getcwd",      "getdents",
    "getdents64", "ioctl",      "lchown",    "link",      "linkat",          "lseek",       "lstat",
    "mkdir",      "mkdirat",    "mknod",     "mknodat",   "newfstatat",      "open",        "openat",
    "pipe",       "pipe2",      "pread64",   "preadv",    "pwrite64",        "pwritev",     "read",
    "readlink",   "readlinkat", "readv",     "rename",    "renameat",        "renameat2",   "rmdir",
    "sendfile",   "stat",       "statfs",    "statx",     "sync_file_range", "truncate",    "umask",
    "unlink",     "unlinkat",   "utimensat", "write",     "writev",          "symlink",     "symlinkat",
    "fgetxattr",  "getxattr",   "lgetxattr"};
constexpr std::array waiting{"epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2",
                             "epoll_wait",   "eventfd",       "eventfd2",  "poll",        "ppoll",
                             "pselect6",     "select",        "signalfd4"};
constexpr std::array memory{"brk",    "madvise", "mlock",   "mmap",   "mprotect",
                            "mremap", "msync",   "munlock", "munmap", "memfd_create"};
constexpr std::array threads{"arch_prctl",
                             "capget",
                             "capset",
                             "clone",
                             "clone3",
                             "execve",
                             "execveat",
                             "exit",
                             "exit_group",
                             "fork",
                             "futex",
                             "get_robust_list",
                             "getcpu",
                             "getegid",
                             "geteuid",
                             "getgid",
                             "getgroups",
                             "getpgid",
                             "getpgrp",
                             "getpid",
                             "getppid",
                             "getpriority",
                             "getresgid",
                             "getresuid",
                             "getrlimit",
                             "getrusage",
                             "getsid",
                             "gettid",
                             "getuid",
                             "kill",
                             "membarrier",
                             "prctl",
                             "prlimit64",
                             "rseq",
                             "sched_getaffinity",
                             "sched_yield",
                             "seccomp",
                             "set_robust_list",
                             "set_tid_address",
                             "setpriority",
                             "setsid",
                             "sysinfo",
                             "tgkill",
                             "uname",
                             "vfork",
                             "wait4",
                             "waitid"};
constexpr std::array signals{"pause",         "restart_syscall", "rt_sigaction",
                             "rt_sigpending", "rt_sigprocmask",  "rt_sigreturn",
                             "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack"};
constexpr std::array clocks{"adjtimex",  "clock_adjtime", "clock_getres", "clock_gettime", "clock_nanosleep",
                            "getrandom", "gettimeofday",  "nanosleep",    "time",          "times"};
constexpr std::array network{"accept",     "accept4", "bind",       "connect",  "getpeername", "getsockname",
                             "getsockopt", "listen",  "recvfrom",   "recvmmsg", "recvmsg",     "sendmmsg",
                             "sendmsg",    "sendto",  "setsockopt", "shutdown", "socket",      "socketpair"};
constexpr std::array io_uring{"io_uring_enter", "io_uring_register", "io_uring_setup"};

// Of bpf(): what is done with maps, rings and programs that are there. None is made, loaded or attached.
constexpr std::array bpf_commands{BPF_MAP_LOOKUP_ELEM,
                                  BPF_MAP_UPDATE_ELEM,
                                  BPF_MAP_DELETE_ELEM,
                                  BPF_MAP_GET_NEXT_KEY,
                                  BPF_PROG_TEST_RUN,
                                  BPF_OBJ_GET_INFO_BY_FD,
                                  BPF_MAP_LOOKUP_AND_DELETE_ELEM,
                                  BPF_MAP_LOOKUP_BATCH,
                                  BPF_MAP_LOOKUP_AND_DELETE_BATCH,
                                  BPF_MAP_UPDATE_BATCH,
                                  BPF_MAP_DELETE_BATCH,
                                  BPF_LINK_DETACH};

template <typename Names>
bool allow(const Filter &filter, const Names &names) {
  for (const char *name : names) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) continue;
    if (seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, number, 0) < 0) return false;
  }
  return true;
}

bool allow_bpf(const Filter &filter) {
  for (const bpf_cmd command : bpf_commands) {
    const scmp_arg_cmp is_command{0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(command), 0};
    if (seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1, &is_command) < 0) return false;
  }
  return true;
}

}  // namespace

Result<void> filter_system_calls() {
  const Filter filter{seccomp_init(SCMP_ACT_ERRNO(EPERM))};
  if (!filter) return fail(Fault::environment, "cannot make a filter of system calls");
  const bool is_complete =
      allow(filter, files) && allow(filter, waiting) && allow(filter, memory) && allow(filter, threads) &&
      allow(filter, signals) && allow(filter, clocks) && allow(filter, network) && allow(filter, io_uring) &&
      allow_bpf(filter) &&
      seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM)) == 0;
  if (!is_complete) return fail(Fault::environment, "cannot make a filter of system calls");
  const int loaded = seccomp_load(filter.get());
  if (loaded < 0) return fail_errno("this kernel takes no filter of system calls", -loaded);
  return {};
}

}  // namespace iptrackd::confine
