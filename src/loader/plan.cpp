#include "loader/plan.h"

#include <algorithm>

namespace iptrackd::loader {
namespace {

void set(HookStatus &status, HookState state, std::string reason = {}) {
  status.state = state;
  status.reason = std::move(reason);
}

// Of the hooks of one role the first that nothing speaks against.
void take_one(const std::vector<HookStatus *> &alternatives, const Refusals &refusals) {
  const auto fits = [&](const HookStatus *status) { return !refusals.contains(status->hook->number); };
  const auto taken = std::find_if(alternatives.begin(), alternatives.end(), fits);
  for (HookStatus *status : alternatives) {
    const auto refusal = refusals.find(status->hook->number);
    if (taken != alternatives.end() && status == *taken) {
      set(*status, HookState::attached);
    } else if (taken != alternatives.end()) {
      set(*status, HookState::spare,
          refusal != refusals.end() ? refusal->second : std::string{(*taken)->hook->program} + " does it");
    } else if (status->hook->optional) {
      set(*status, HookState::absent, refusal->second);
    } else {
      set(*status, HookState::refused, refusal->second);
    }
  }
}

// The hooks by which MECHANISM would do DUTY.
std::vector<HookStatus *> hooks_of(std::vector<HookStatus> &hooks, Duty duty, Mechanism mechanism) {
  std::vector<HookStatus *> found;
  for (HookStatus &status : hooks) {
    if (status.hook->duty == duty && status.hook->mechanism == mechanism) found.push_back(&status);
  }
  return found;
}

void choose_alternatives(const std::vector<HookStatus *> &hooks, const Refusals &refusals) {
  for (const HookStatus *first : hooks) {
    std::vector<HookStatus *> alternatives;
    for (HookStatus *status : hooks) {
      if (status->hook->role == first->hook->role) alternatives.push_back(status);
    }
    take_one(alternatives, refusals);
  }
}

const HookStatus *first_refused(const std::vector<HookStatus *> &hooks) {
  const auto found = std::find_if(hooks.begin(), hooks.end(), [](const HookStatus *status) {
    return status->state == HookState::refused;
  });
  return found == hooks.end() ? nullptr : *found;
}

void spare(const std::vector<HookStatus *> &hooks, const std::string &reason) {
  for (HookStatus *status : hooks) {
    if (status->state == HookState::attached) set(*status, HookState::spare, reason);
    if (status->state == HookState::refused) set(*status, HookState::spare, "refused: " + status->reason);
  }
}

void plan_duty(std::vector<HookStatus> &hooks, Duty duty, Choice choice, const Refusals &refusals) {
  choose_alternatives(hooks_of(hooks, duty, Mechanism::any), refusals);
  const auto fentry = hooks_of(hooks, duty, Mechanism::fentry);
  const auto tracepoint = hooks_of(hooks, duty, Mechanism::tracepoint);
  choose_alternatives(fentry, refusals);
  choose_alternatives(tracepoint, refusals);
  if (choice == Choice::fentry) return spare(tracepoint, "probes.mechanism is fentry");
  if (choice == Choice::tracepoint) return spare(fentry, "probes.mechanism is tracepoint");
  const HookStatus *obstacle = first_refused(fentry);
  if (obstacle == nullptr) return spare(tracepoint, "fentry does it");
  spare(fentry, "tracepoints do it, as " + std::string{obstacle->hook->program} + " is refused");
}

}  // namespace

std::optional<std::string> misfit(const Hook &hook, const HookStatus &target, const KernelTypes &types) {
  if (hook.prototypes.empty()) return std::nullopt;
  const std::string name{target.function()};
  const bool is_tracepoint = target.mechanism() == "tp_btf";
  const auto prototype = is_tracepoint ? types.tracepoint(name) : types.function(name);
  if (!prototype)
    return "this kernel has no " + std::string{is_tracepoint ? "tracepoint " : "function "} + name;
  if (is_one_of(*prototype, hook.prototypes)) return std::nullopt;
  return name + " is " + *prototype + " here, not " + std::string{hook.prototypes};
}

void plan_hooks(std::vector<HookStatus> &hooks, const Probes &probes, Choice choice,
                const Refusals &refusals) {
  for (HookStatus &status : hooks) {
    if (!is_wanted(status.hook->duty, probes)) {
      set(status, HookState::disabled, "no probe of the configuration needs it");
    } else {
      plan_duty(hooks, status.hook->duty, choice, refusals);
    }
  }
  for (HookStatus &status : hooks) {
    if (status.hook->every_call && !probes.compat_calls)
      set(status, HookState::disabled, "probes.compat-calls is false");
  }
}

}  // namespace iptrackd::loader
