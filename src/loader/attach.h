// Attaching loaded programs to their hooks.
#ifndef IPTRACKD_LOADER_ATTACH_H
#define IPTRACKD_LOADER_ATTACH_H

#include <bpf/libbpf.h>

#include <memory>
#include <vector>

#include "loader/hooks.h"
#include "loader/plan.h"

namespace iptrackd::loader {

struct DestroyLink {
  void operator()(bpf_link *link) const noexcept { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, DestroyLink>;

// Attaches every hook whose state is `attached`, and returns their links; those that the kernel refuses are
// added to REFUSALS.
[[nodiscard]] std::vector<Link> attach_hooks(const bpf_object &object, const std::vector<HookStatus> &hooks,
                                             Refusals &refusals);

}  // namespace iptrackd::loader

#endif
