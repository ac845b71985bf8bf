// Attaching loaded programs to their hooks.
#ifndef IPTRACKD_LOADER_ATTACH_H
#define IPTRACKD_LOADER_ATTACH_H

#include <bpf/libbpf.h>

#include <memory>
#include <vector>

#include "core/result.h"
#include "loader/hooks.h"

namespace iptrackd::loader {

struct DestroyLink {
  void operator()(bpf_link *link) const noexcept { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, DestroyLink>;

// Attaches every hook whose state is `attached`; those that the kernel refuses become `refused` with the
// reason. Fails (environment) when none is left.
[[nodiscard]] Result<std::vector<Link>> attach_hooks(bpf_object &object, std::vector<HookStatus> &hooks);

}  // namespace iptrackd::loader

#endif
