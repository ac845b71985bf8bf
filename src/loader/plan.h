// Plan: which hooks are to be attached, given what this kernel is known to refuse.
#ifndef IPTRACKD_LOADER_PLAN_H
#define IPTRACKD_LOADER_PLAN_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loader/hooks.h"
#include "loader/kernel_types.h"

namespace iptrackd::loader {

// probes.mechanism. automatic: fentry, and tracepoints for the duties for which the kernel refuses it.
enum class Choice : std::uint8_t { automatic, fentry, tracepoint };

// Why a hook cannot be had, found by trying.
using Refusals = std::map<iptrackd_hook, std::string>;

// Why HOOK, which hangs on TARGET, cannot work on the kernel of these TYPES: there is no such function, or it
// has another signature. None: it fits.
[[nodiscard]] std::optional<std::string> misfit(const Hook &hook, const HookStatus &target,
                                                const KernelTypes &types);

// Sets the state and reason of every hook. Hooks that are `attached` afterwards are to be attached; one that
// is `refused` has nothing in its place. The same input gives the same plan.
void plan_hooks(std::vector<HookStatus> &hooks, const Probes &probes, Choice choice,
                const Refusals &refusals);

}  // namespace iptrackd::loader

#endif
