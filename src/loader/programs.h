// The BPF programs and maps of bpf/ as one object: opened, prepared for this kernel, and loaded.
#ifndef IPTRACKD_LOADER_PROGRAMS_H
#define IPTRACKD_LOADER_PROGRAMS_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/result.h"
#include "iptrackd.skel.h"
#include "loader/hooks.h"
#include "loader/kernel_types.h"
#include "loader/plan.h"

namespace iptrackd::loader {

struct TracerOptions;

struct DestroySkeleton {
  void operator()(iptrackd_bpf *skeleton) const noexcept { iptrackd_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<iptrackd_bpf, DestroySkeleton>;

// Nothing is in the kernel yet. TYPES are those of the kernel that it is meant for.
[[nodiscard]] Result<Skeleton> open_programs(const TracerOptions &options, const KernelTypes &types);

// Every hook with the place where it hangs, as its program's section names it; no state is decided.
[[nodiscard]] Result<std::vector<HookStatus>> list_hooks(const TracerOptions &options,
                                                         const KernelTypes &types);

// Loads those programs of HOOKS that are `attached`: all or none. The error has the kernel's words.
[[nodiscard]] Result<void> load_programs(iptrackd_bpf &skeleton, const TracerOptions &options,
                                         std::vector<HookStatus> &hooks);

}  // namespace iptrackd::loader

#endif
