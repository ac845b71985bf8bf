#include "loader/drift.h"

#include <bpf/libbpf.h>
#include <bpf/libbpf_legacy.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <memory>

#include "core/fd.h"
#include "iptrackd.skel.h"
#include "loader/drift_needs.h"
#include "loader/libbpf_log.h"
#include "loader/plan.h"

namespace iptrackd::loader {
namespace {

// By name without flavor: all types that are called so. A kernel has structs of one name in several drivers.
using Candidates = std::map<std::string_view, std::vector<std::uint32_t>>;

Candidates find_candidates(const btf &kernel, const Needs &needs) {
  Candidates found;
  for (const auto &[name, need] : needs) found[without_flavor(need.root_name)];
  for (std::uint32_t id = 1; id < btf__type_cnt(&kernel); ++id) {
    const auto entry = found.find(without_flavor(text_at(kernel, btf__type_by_id(&kernel, id)->name_off)));
    if (entry != found.end()) entry->second.push_back(id);
  }
  return found;
}

std::optional<Place> find_enumerator(const btf &kernel, std::uint32_t root, std::string_view name) {
  Place place{root};
  for (std::uint32_t i = 0;; ++i) {
    const auto enumerator = enter_enumerator(kernel, i, place);
    if (!enumerator) return std::nullopt;
    if (without_flavor(*enumerator) == name) return place;
  }
}

std::optional<Place> find_place(const btf &kernel, std::uint32_t root, const Need &need) {
  if (!need.enumerator.empty()) return find_enumerator(kernel, root, need.enumerator);
  Place place = element_of_root(kernel, root, need.first);
  for (const auto &[member, index] : need.steps) {
    const bool entered =
        member.empty() ? enter_element(kernel, index, place) : enter_named(kernel, member, place);
    if (!entered) return std::nullopt;
  }
  return place;
}

// As libbpf decides whether a member of the right name is the one that is meant (bpf_core_fields_are_compat).
bool is_same_kind(const btf &programs, std::uint32_t ours, const btf &kernel, std::uint32_t theirs) {
  const btf_type *one = resolved(programs, ours);
  const btf_type *other = resolved(kernel, theirs);
  constexpr int dimensions_max = 8;
  for (int i = 0; one != nullptr && other != nullptr && btf_is_array(one) && btf_is_array(other); ++i) {
    if (i == dimensions_max) return false;
    one = resolved(programs, btf_array(one)->type);
    other = resolved(kernel, btf_array(other)->type);
  }
  if (one == nullptr || other == nullptr) return false;
  if (btf_is_any_enum(one) && btf_is_any_enum(other)) {
    const auto name = without_flavor(text_at(programs, one->name_off));
    const auto name_here = without_flavor(text_at(kernel, other->name_off));
    return name.empty() || name_here.empty() || name == name_here;
  }
  return (btf_is_composite(one) && btf_is_composite(other)) || btf_kind(one) == btf_kind(other);
}

// Of a pointer to a struct or union that has a name.
std::string_view struct_pointed_to(const btf &types, std::uint32_t id) {
  const btf_type *pointer = resolved(types, id);
  const btf_type *target =
      pointer != nullptr && btf_is_ptr(pointer) ? resolved(types, pointer->type) : nullptr;
  return target != nullptr && btf_is_composite(target) ? without_flavor(text_at(types, target->name_off))
                                                       : "";
}

std::string counted(std::uint64_t number, std::string_view unit) {
  return std::to_string(number) + ' ' + std::string{unit} + (number == 1 ? "" : "s");
}

// "a pointer of 8 bytes to mm_struct"
std::string describe(const btf &types, const Place &place) {
  if (place.width != 0) return "a bit field of " + counted(place.width, "bit");
  const auto kind = kind_word(resolved(types, place.type));
  const auto target = struct_pointed_to(types, place.type);
  return std::string{kind.find_first_of("aeio") == 0 ? "an " : "a "} + std::string{kind} + " of " +
         counted(bits_of(types, place) / 8, "byte") + (target.empty() ? "" : " to " + std::string{target});
}

// Is what is read at FOUND something else than what is read at BUILT, though CO-RE takes the one for the
// other?
bool reads_otherwise(const btf &programs, const Need &need, const btf &kernel, const Place &found) {
  const btf_type *type = resolved(programs, need.built.type);
  const auto target = struct_pointed_to(programs, need.built.type);
  const auto target_here = struct_pointed_to(kernel, found.type);
  if (!target.empty() && !target_here.empty() && target != target_here) return true;
  // Of a struct the address is taken, or it is read part by part, each of which is a need itself.
  if (!need.read || need.sized || type == nullptr || btf_is_composite(type)) return false;
  if ((need.built.width == 0) != (found.width == 0)) return true;
  const auto bits = bits_of(programs, need.built);
  return bits != 0 && bits_of(kernel, found) != bits;
}

// "2336", of a bit field also "2336.3": bytes and bits.
std::string offset_words(std::uint64_t bits) {
  return std::to_string(bits / 8) + (bits % 8 != 0 ? "." + std::to_string(bits % 8) : "");
}

NeedFit describe_place(const btf &programs, const Need &need, const btf &kernel, const Place &found) {
  const bool is_value = !need.enumerator.empty();
  const bool has_moved = need.read && !need.has_flavor() && found.at != need.built.at;
  const auto number = [&](std::uint64_t at) {
    return is_value ? std::to_string(static_cast<std::int64_t>(at)) : offset_words(at);
  };
  std::string words = (is_value ? "value " : "offset ") + number(found.at);
  if (has_moved) words += ", was " + number(need.built.at);
  if (!is_value) words += "; " + describe(kernel, found);
  if (is_value || !reads_otherwise(programs, need, kernel, found)) {
    return {{}, has_moved ? Fit::moved : Fit::there, words};
  }
  return {{},
          Fit::changed,
          describe(kernel, found) + "; the programs take it for " + describe(programs, need.built)};
}

NeedFit judge_need(const btf &programs, const Need &need, const btf &kernel,
                   const std::vector<std::uint32_t> &candidates) {
  const std::string root =
      std::string{kind_word(need.root)} + ' ' + std::string{without_flavor(need.root_name)};
  NeedFit otherwise{{}, Fit::missing, "this kernel has no " + root};
  std::optional<Place> place;
  for (const std::uint32_t id : candidates) {
    if (!btf_kind_core_compat(need.root, btf__type_by_id(&kernel, id))) continue;
    if (otherwise.fit == Fit::missing) otherwise.words = root + " has none in this kernel";
    const auto found = find_place(kernel, id, need);
    if (!found) continue;
    if (!need.steps.empty() && !is_same_kind(programs, need.built.type, kernel, found->type)) {
      otherwise = {{},
                   Fit::changed,
                   describe(kernel, *found) + "; the programs take it for " + describe(programs, need.built)};
      continue;
    }
    // CO-RE gives up where it has the choice.
    if (place && place->at != found->at)
      return {{}, Fit::changed, "several of this name, at different offsets"};
    place = found;
  }
  if (place) return describe_place(programs, need, kernel, *place);
  if (need.asked) otherwise = {{}, Fit::provided_for, otherwise.words + ", which the programs provide for"};
  return otherwise;
}

// Two flavors of a struct are two kernels' ways to say the same. Programs ask for a member of one of them;
// the other flavor is read only where that member is not there.
void excuse_other_flavors(const Needs &needs, std::vector<NeedFit> &fits) {
  for (NeedFit &fit : fits) {
    const Need &need = needs.at(fit.name);
    if (fit.fit != Fit::missing || !need.has_flavor()) continue;
    for (const NeedFit &other : fits) {
      const Need &known = needs.at(other.name);
      const bool stands_in = known.asked && known.has_flavor() && known.root_name != need.root_name &&
                             without_flavor(known.root_name) == without_flavor(need.root_name);
      if (!stands_in || (other.fit != Fit::there && other.fit != Fit::moved)) continue;
      fit.fit = Fit::provided_for;
      fit.words += ", where " + other.name + " stands in for it";
      break;
    }
  }
}

// ---- hooks and duties

struct CloseObject {
  void operator()(bpf_object *object) const noexcept { bpf_object__close(object); }
};

Result<std::vector<HookFit>> fit_hooks(std::span<const std::byte> elf, const KernelTypes &kernel) {
  const std::unique_ptr<bpf_object, CloseObject> object{
      bpf_object__open_mem(elf.data(), elf.size(), nullptr)};
  if (!object) return fail(Fault::environment, "cannot read the BPF programs: " + libbpf_log_take());
  std::vector<HookFit> fits;
  for (const Hook &hook : all_hooks()) {
    const auto *program = bpf_object__find_program_by_name(object.get(), std::string{hook.program}.c_str());
    if (program == nullptr)
      return fail(Fault::environment, "there is no BPF program " + std::string{hook.program});
    const HookStatus status{&hook, bpf_program__section_name(program), HookState::disabled, {}};
    fits.push_back({&hook, status.target, misfit(hook, status, kernel)});
  }
  return fits;
}

constexpr std::array<std::string_view, 8> duty_names{"processes", "exec",    "failed exec", "close",
                                                     "TCP state", "connect", "bind",        "accept"};
static_assert(static_cast<std::size_t>(Duty::accept) + 1 == duty_names.size(), "in the order of Duty");

// Why DUTY cannot be done by one mechanism alone, as the plan for it has it.
std::optional<std::string> find_obstacle(const std::vector<HookFit> &fits, Duty duty, Mechanism mechanism) {
  std::vector<HookStatus> plan;
  Refusals refusals;
  for (const HookFit &fit : fits) {
    plan.push_back({fit.hook, fit.target, HookState::disabled, {}});
    if (fit.misfit) refusals.emplace(fit.hook->number, *fit.misfit);
  }
  plan_hooks(plan, Probes{}, mechanism == Mechanism::fentry ? Choice::fentry : Choice::tracepoint, refusals);
  for (const HookStatus &status : plan) {
    if (status.hook->duty == duty && status.state == HookState::refused) {
      return std::string{status.hook->program} + ": " + status.reason;
    }
  }
  return std::nullopt;
}

std::vector<DutyFit> fit_duties(const std::vector<HookFit> &fits) {
  std::vector<DutyFit> duties;
  for (std::size_t i = 0; i < duty_names.size(); ++i) {
    const auto duty = static_cast<Duty>(i);
    const bool has_mechanisms = std::any_of(fits.begin(), fits.end(), [&](const HookFit &fit) {
      return fit.hook->duty == duty && fit.hook->mechanism != Mechanism::any;
    });
    duties.push_back({duty_names.at(i), has_mechanisms, find_obstacle(fits, duty, Mechanism::fentry),
                      find_obstacle(fits, duty, Mechanism::tracepoint)});
  }
  return duties;
}

// ---- the programs of this build

struct FreeObjectTypes {
  void operator()(btf *types) const noexcept { btf__free(types); }
  void operator()(btf_ext *relocations) const noexcept { btf_ext__free(relocations); }
};

// libbpf reads .BTF.ext from files only.
Result<std::vector<NeedFit>> fit_needs(std::span<const std::byte> elf, const KernelTypes &kernel) {
  const Fd file{memfd_create("iptrackd.bpf.o", MFD_CLOEXEC)};
  if (!file || write(file.get(), elf.data(), elf.size()) != static_cast<ssize_t>(elf.size())) {
    return fail_errno("cannot put the BPF programs into a file in memory");
  }
  btf_ext *ext = nullptr;
  const std::unique_ptr<btf, FreeObjectTypes> types{
      btf__parse_elf(("/proc/self/fd/" + std::to_string(file.get())).c_str(), &ext)};
  const std::unique_ptr<btf_ext, FreeObjectTypes> relocations{ext};
  if (!types || !relocations) return fail_errno("cannot read the types of the BPF programs");
  std::uint32_t size = 0;
  // Its new name, btf_ext__raw_data, is in libbpf 1.1's header, but not in the library.
  const auto *bytes = static_cast<const std::byte *>(btf_ext__get_raw_data(relocations.get(), &size));
  return compare_needs(*types, {bytes, size}, *kernel.get());
}

}  // namespace

Result<std::vector<NeedFit>> compare_needs(const btf &programs, std::span<const std::byte> relocations,
                                           const btf &kernel) {
  const auto needs = read_needs(programs, relocations);
  if (!needs) return tl::unexpected{needs.error()};
  const auto candidates = find_candidates(kernel, *needs);
  std::vector<NeedFit> fits;
  for (const auto &[name, need] : *needs) {
    fits.push_back(judge_need(programs, need, kernel, candidates.at(without_flavor(need.root_name))));
    fits.back().name = name;
  }
  excuse_other_flavors(*needs, fits);
  return fits;
}

Result<Drift> compare_types(const KernelTypes &kernel) {
  libbpf_log_install();
  std::size_t size = 0;
  const auto *bytes = static_cast<const std::byte *>(iptrackd_bpf__elf_bytes(&size));
  auto needs = fit_needs({bytes, size}, kernel);
  if (!needs) return tl::unexpected{needs.error()};
  auto hooks = fit_hooks({bytes, size}, kernel);
  if (!hooks) return tl::unexpected{hooks.error()};
  auto duties = fit_duties(*hooks);
  return Drift{std::move(*needs), std::move(*hooks), std::move(duties)};
}

}  // namespace iptrackd::loader
