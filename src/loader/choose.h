// Choosing the hooks by trying: plan, load, attach; and where the kernel refuses, find out what, and plan
// again.
#ifndef IPTRACKD_LOADER_CHOOSE_H
#define IPTRACKD_LOADER_CHOOSE_H

#include <vector>

#include "core/result.h"
#include "loader/attach.h"
#include "loader/programs.h"

namespace iptrackd::loader {

// The members are in the order of their making: links go before what they hang on.
struct Attached {
  Skeleton skeleton;
  std::vector<HookStatus> hooks;  // all of them, each with its state
  std::vector<Link> links;
};

// Fails (environment) when the kernel accepts no hook at all.
[[nodiscard]] Result<Attached> attach_best(const TracerOptions &options, const KernelTypes &types);

}  // namespace iptrackd::loader

#endif
