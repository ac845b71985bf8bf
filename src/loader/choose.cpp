#include "loader/choose.h"

#include <bpf/libbpf.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "loader/inherited_maps.h"
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
  const auto skeleton = open_programs(small, types);
  if (!skeleton) return skeleton.error().message();
  const auto loaded = load_programs(**skeleton, small, hooks);
  if (!loaded) return loaded.error().message();
  Refusals refusals;
  (void)attach_hooks(*(*skeleton)->obj, hooks, refusals);
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

Result<Skeleton> prepare_programs(const TracerOptions &options, const KernelTypes &types, ProgramSet &set,
                                  const Predecessor &before) {
  auto skeleton = open_programs(options, types);
  if (!skeleton) return skeleton;
  (*skeleton)->rodata->own_generation = set.number;
  if (before.set.number != 0) {
    set.inherits_tables =
        inherit_equal_maps(**skeleton, before.set.number, *before.directory, before.set.has_our_wire);
  }
  return skeleton;
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
Result<ProgramSet> attach_best(const TracerOptions &options, const KernelTypes &types,
                               const Predecessor &before) {
  auto listed = list_hooks(options, types);
  if (!listed) return tl::unexpected{listed.error()};
  ProgramSet set;
  set.number = before.set.number + 1;
  set.hooks = std::move(*listed);
  Refusals refusals = misfits(set.hooks, types);
  for (;;) {
    const auto known = refusals.size();
    plan_hooks(set.hooks, options.probes, options.mechanism, refusals);
    auto skeleton = prepare_programs(options, types, set, before);
    if (!skeleton) return tl::unexpected{skeleton.error()};
    if (auto loaded = load_programs(**skeleton, options, set.hooks); loaded) {
      set.attached = attach_hooks(*(*skeleton)->obj, set.hooks, refusals);
    } else {
      try_each(options, types, set.hooks, refusals);
      if (refusals.size() == known) return tl::unexpected{loaded.error()};
    }
    if (refusals.size() != known) {
      set.attached.clear();
      continue;
    }
    if (set.attached.empty())
      return fail(Fault::environment, "the kernel accepts no hook: " + set.hooks.front().reason);
    set.skeleton = std::move(*skeleton);
    return set;
  }
}

}  // namespace iptrackd::loader
