// Choosing the hooks by trying: plan, load, attach; and where the kernel refuses, find out what, and plan
// again.
#ifndef IPTRACKD_LOADER_CHOOSE_H
#define IPTRACKD_LOADER_CHOOSE_H

#include "core/result.h"
#include "loader/attach.h"
#include "loader/program_set.h"
#include "loader/programs.h"

namespace iptrackd::loader {

// Loads and attaches the best set of programs that this kernel accepts. It does not act before it is put in
// force, and its iterators have not run. NUMBER is to be its generation; with maps of the pinned set BEFORE,
// where there is one (a number other than 0), in DIRECTORY.
struct Predecessor {
  const PinDirectory *directory = nullptr;
  PinnedSet set;
};
// Fails (environment) when the kernel accepts no hook at all.
[[nodiscard]] Result<ProgramSet> attach_best(const TracerOptions &options, const KernelTypes &types,
                                             const Predecessor &before);

}  // namespace iptrackd::loader

#endif
