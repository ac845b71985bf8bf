#include "confine/system_calls.h"

#include <doctest/doctest.h>
#include <linux/bpf.h>
#include <netdb.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "confine/privileges.h"

namespace iptrackd::confine {
namespace {

// In a child without privileges, which says by its exit code how many of the deeds went otherwise.
int in_confined_child(int (*deeds)()) {
  const pid_t child = fork();
  if (child == 0) {
    const bool is_confined = forbid_new_privileges() && filter_system_calls();
    _exit(is_confined ? deeds() : 100);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int bpf_errno(int command) {
  bpf_attr attributes{};
  return syscall(SYS_bpf, command, &attributes, sizeof(attributes)) < 0 ? errno : 0;
}

int forbidden_deeds_done() {
  int done = 0;
  done += unshare(CLONE_FS) == 0 ? 1 : 0;
  done += mount("none", "/tmp", "tmpfs", 0, nullptr) == 0 || errno != EPERM ? 1 : 0;
  done += syscall(SYS_ptrace, 0, 0, 0, 0) == 0 || errno != EPERM ? 1 : 0;
  done += syscall(SYS_add_key, "user", "a", "b", 1, -3) >= 0 || errno != EPERM ? 1 : 0;
  done += bpf_errno(BPF_PROG_LOAD) != EPERM ? 1 : 0;
  done += bpf_errno(BPF_MAP_CREATE) != EPERM ? 1 : 0;
  return done;
}

int needed_deeds_refused() {
  int refused = 0;
  addrinfo *addresses = nullptr;
  refused += getaddrinfo("localhost", "5432", nullptr, &addresses) != 0 ? 1 : 0;
  if (addresses != nullptr) freeaddrinfo(addresses);
  const int socket = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  refused += socket < 0 ? 1 : 0;
  refused += bpf_errno(BPF_MAP_LOOKUP_ELEM) == EPERM && geteuid() == 0 ? 1 : 0;
  const pid_t child = fork();
  if (child == 0) _exit(0);
  refused += child < 0 || waitpid(child, nullptr, 0) != child ? 1 : 0;
  return refused;
}

}  // namespace

TEST_CASE("system calls that the daemon does not need are refused") {
  CHECK(in_confined_child(forbidden_deeds_done) == 0);
}

TEST_CASE("name look-ups, connections, maps and the self-test's process are not") {
  CHECK(in_confined_child(needed_deeds_refused) == 0);
}

}  // namespace iptrackd::confine
