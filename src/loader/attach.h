// Attaching loaded programs to their hooks.
#ifndef IPTRACKD_LOADER_ATTACH_H
#define IPTRACKD_LOADER_ATTACH_H

#include <bpf/libbpf.h>

#include <memory>
#include <vector>

#include "core/fd.h"
#include "loader/hooks.h"
#include "loader/plan.h"

namespace iptrackd::loader {

struct DestroyLink {
  void operator()(bpf_link *link) const noexcept { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, DestroyLink>;

// A hook that is attached. Its program can be asked for its counters as long as this lives.
struct AttachedHook {
  iptrackd_hook number;
  Link link;
  Fd program;
};

// Attaches every hook whose state is `attached`, save the iterators; those that the kernel refuses are added
// to REFUSALS.
[[nodiscard]] std::vector<AttachedHook> attach_hooks(const bpf_object &object,
                                                     const std::vector<HookStatus> &hooks,
                                                     Refusals &refusals);

// Runs every iterator whose state is `attached`, once; what is refused goes to REFUSALS.
void run_iterators(const bpf_object &object, const std::vector<HookStatus> &hooks, Refusals &refusals);

}  // namespace iptrackd::loader

#endif
