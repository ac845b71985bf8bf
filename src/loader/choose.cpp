#include "loader/choose.h"

#include <bpf/libbpf.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "loader/planted_fault.h"
#include "loader/tracer.h"

namespace iptrackd::loader {
namespace {

constexpr std::size_t smallest_rings = 8192;

// Why this kernel refuses the program of HOOKS[chosen], tried alone.
std::optional<std::string> try_alone(const TracerOptions &options, const KernelTypes &types,
                                     std::vector<HookStatus> hooks, std::size_t chosen) {
  TracerOptions small = options;
  small.ring_bytes = smallest_rings;
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    if (i != chosen) hooks[i].state = HookState::spare;
  }
  const auto loaded = load_programs(small, types, hooks);
  if (!loaded) return loaded.error().message();
  Refusals refusals;
  (void)attach_hooks(*(*loaded)->obj, hooks, refusals);
  return refusals.empty() ? std::nullopt : std::optional{refusals.begin()->second};
}

// One refused program makes the whole object fail. Then each is tried alone, to learn which are refused and
// why. A kernel that has refused this many of those that need trampolines, and taken none, has none.
constexpr int convincing_refusals = 2;

void try_each(const TracerOptions &options, const KernelTypes &types, const std::vector<HookStatus> &hooks,
              Refusals &refusals) {
  int refused_trampolines = 0;
  bool has_trampolines = false;
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    const HookStatus &status = hooks[i];
    if (status.state != HookState::attached) continue;
    const bool is_fentry = status.hook->mechanism == Mechanism::fentry;
    if (is_fentry && !has_trampolines && refused_trampolines == convincing_refusals) {
      refusals.emplace(status.hook->number, "not tried: this kernel has no BPF trampolines");
      continue;
    }
    const auto reason = try_alone(options, types, hooks, i);
    if (reason) refusals.emplace(status.hook->number, *reason);
    if (is_fentry) reason ? void(++refused_trampolines) : void(has_trampolines = true);
  }
}

// Every hook with the place where it hangs, as its program's section names it.
Result<std::vector<HookStatus>> list_hooks(const TracerOptions &options, const KernelTypes &types) {
  const auto skeleton = open_programs(options, types);
  if (!skeleton) return tl::unexpected{skeleton.error()};
  std::vector<HookStatus> hooks;
  for (const Hook &hook : all_hooks()) {
    const auto *program =
        bpf_object__find_program_by_name((*skeleton)->obj, std::string{hook.program}.c_str());
    if (program == nullptr)
      return fail(Fault::environment, "there is no BPF program " + std::string{hook.program});
    HookStatus status{&hook, bpf_program__section_name(program), HookState::disabled, {}};
    if (has_fault("misnamed", hook.program)) status.target += "_with_a_planted_fault";
    hooks.push_back(std::move(status));
  }
  return hooks;
}

Refusals misfits(const std::vector<HookStatus> &hooks, const KernelTypes &types) {
  Refusals refusals;
  for (const HookStatus &status : hooks) {
    if (auto reason = misfit(*status.hook, status, types)) refusals.emplace(status.hook->number, *reason);
  }
  return refusals;
}

}  // namespace

// Each round either succeeds, or has found something that this kernel refuses and plans without it.
Result<Attached> attach_best(const TracerOptions &options, const KernelTypes &types) {
  auto listed = list_hooks(options, types);
  if (!listed) return tl::unexpected{listed.error()};
  std::vector<HookStatus> &hooks = *listed;
  Refusals refusals = misfits(hooks, types);
  for (;;) {
    const auto known = refusals.size();
    plan_hooks(hooks, options.probes, options.mechanism, refusals);
    auto skeleton = load_programs(options, types, hooks);
    std::vector<Link> links;
    if (skeleton) {
      links = attach_hooks(*(*skeleton)->obj, hooks, refusals);
    } else {
      try_each(options, types, hooks, refusals);
      if (refusals.size() == known) return tl::unexpected{skeleton.error()};
    }
    if (refusals.size() == known) {
      if (links.empty())
        return fail(Fault::environment, "the kernel accepts no hook: " + hooks.front().reason);
      return Attached{std::move(*skeleton), std::move(hooks), std::move(links)};
    }
  }
}

}  // namespace iptrackd::loader
