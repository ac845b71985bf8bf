// Surroundings: do the namespaces of this process show it the host, or only a container?
#ifndef IPTRACKD_LOADER_SURROUNDINGS_H
#define IPTRACKD_LOADER_SURROUNDINGS_H

#include "core/result.h"

namespace iptrackd::loader {

// Hooks know a process by the host's number, which a process in another pid namespace cannot tell of its
// child.
[[nodiscard]] bool in_initial_pid_namespace() noexcept;
// In another one its own group seems to be the root of all.
[[nodiscard]] bool in_initial_cgroup_namespace() noexcept;

// Fault environment, in one sentence with the options that are missing: a daemon here would take its own
// container for the host.
[[nodiscard]] Result<void> check_surroundings();

}  // namespace iptrackd::loader

#endif
