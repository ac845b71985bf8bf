// Roots of the kernel's own file systems, opened without a mount point: nothing is mounted where anybody
// could see it, and it works in a container or on a machine where nobody mounted them.
#ifndef IPTRACKD_LOADER_KERNEL_MOUNTS_H
#define IPTRACKD_LOADER_KERNEL_MOUNTS_H

#include <string>

#include "core/fd.h"
#include "core/result.h"

namespace iptrackd::loader {

// A directory descriptor of the root of FILE_SYSTEM ("cgroup2", "tracefs"). For cgroup2 it is the root of the
// caller's cgroup namespace: the host's only in the host's namespace.
[[nodiscard]] Result<Fd> open_kernel_file_system(const std::string &file_system);

}  // namespace iptrackd::loader

#endif
