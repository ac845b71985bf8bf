#include "loader/surroundings.h"

#include <sys/stat.h>

#include <cerrno>
#include <string>

namespace iptrackd::loader {
namespace {

// The numbers of the initial namespaces (PROC_PID_INIT_INO, PROC_CGROUP_INIT_INO in the kernel's proc_ns.h).
constexpr ino_t initial_pid_namespace = 0xEFFFFFFCU;
constexpr ino_t initial_cgroup_namespace = 0xEFFFFFFBU;

constexpr const char *pid_namespace = "/proc/self/ns/pid";
constexpr const char *cgroup_namespace = "/proc/self/ns/cgroup";

// A kernel that was built without a kind of namespace has no file for it.
bool is_in(const char *file, ino_t number) noexcept {
  struct stat status {};
  return stat(file, &status) == 0 ? status.st_ino == number : errno == ENOENT;
}

// A security module may hide it, which says nothing about where we are.
bool is_hidden(const char *file) noexcept {
  struct stat status {};
  return stat(file, &status) != 0 && errno != ENOENT;
}

}  // namespace

bool in_initial_pid_namespace() noexcept {
  return is_in(pid_namespace, initial_pid_namespace);
}

bool in_initial_cgroup_namespace() noexcept {
  return is_in(cgroup_namespace, initial_cgroup_namespace);
}

Result<void> check_surroundings() {
  for (const char *file : {pid_namespace, cgroup_namespace}) {
    if (is_hidden(file)) return fail_errno(std::string{"cannot examine "} + file);
  }
  std::string missing;
  if (!in_initial_pid_namespace()) missing = "--pid=host (Kubernetes: hostPID)";
  if (!in_initial_cgroup_namespace()) {
    missing += missing.empty() ? "" : " and ";
    missing += "--cgroupns=host (Kubernetes: privileged)";
  }
  if (missing.empty()) return {};
  return fail(
      Fault::environment,
      "in namespaces of its own the daemon would not see the host; start its container with " + missing);
}

}  // namespace iptrackd::loader
