#include "loader/surroundings.h"

#include <sys/stat.h>

#include <cerrno>
#include <string>

namespace iptrackd::loader {
namespace {

// The numbers of the initial namespaces (PROC_PID_INIT_INO, PROC_CGROUP_INIT_INO in the kernel's proc_ns.h).
constexpr ino_t initial_pid_namespace = 0xEFFFFFFCU;
constexpr ino_t initial_cgroup_namespace = 0xEFFFFFFBU;

// A kernel that was built without a kind of namespace has no file for it.
bool is_in(const char *file, ino_t number) noexcept {
  struct stat status {};
  return stat(file, &status) == 0 ? status.st_ino == number : errno == ENOENT;
}

}  // namespace

bool in_initial_pid_namespace() noexcept {
  return is_in("/proc/self/ns/pid", initial_pid_namespace);
}

bool in_initial_cgroup_namespace() noexcept {
  return is_in("/proc/self/ns/cgroup", initial_cgroup_namespace);
}

Result<void> check_surroundings() {
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
