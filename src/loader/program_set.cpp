#include "loader/program_set.h"

#include <bpf/bpf.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "loader/inherited_maps.h"
#include "loader/libbpf_log.h"
#include "loader/tracer.h"

namespace iptrackd::loader {
namespace {

constexpr std::uint32_t only_key = 0;
constexpr const char *state_name = "state";

std::string link_name(const HookStatus &status) {
  return "link_" + std::string{status.hook->program};
}

Fd open_pin(const std::string &path) {
  return Fd{bpf_obj_get(path.c_str())};
}

std::optional<PinnedState> read_state(const PinDirectory &directory, std::uint32_t number) {
  const Fd map = open_pin(directory.pin(number, state_name));
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (!map || bpf_obj_get_info_by_fd(map.get(), &info, &size) != 0) return std::nullopt;
  // Another version of the program may know more hooks, or fewer; what stands before them is the same.
  std::vector<std::byte> value(std::max<std::size_t>(info.value_size, sizeof(PinnedState)));
  PinnedState state{};
  if (bpf_map_lookup_elem(map.get(), &only_key, value.data()) != 0) return std::nullopt;
  std::memcpy(&state, value.data(), sizeof(state));
  if (state.magic != PinnedState::the_magic) return std::nullopt;
  return state;
}

Result<void> write_state(const PinDirectory &directory, std::uint32_t number, const PinnedState &state) {
  const Fd map{
      bpf_map_create(BPF_MAP_TYPE_ARRAY, "iptrackd_state", sizeof(only_key), sizeof(state), 1, nullptr)};
  if (!map) return fail_errno("cannot make the map of the state");
  if (bpf_map_update_elem(map.get(), &only_key, &state, BPF_ANY) != 0)
    return fail_errno("cannot write the state");
  if (bpf_obj_pin(map.get(), directory.pin(number, state_name).c_str()) != 0) {
    return fail_errno("cannot pin the state");
  }
  return {};
}

// Every hook that has a state of its own in STATE.
PinnedState::Hook &state_of(PinnedState &state, const HookStatus &status) {
  return state.hooks[status.hook->number];
}

PinnedState describe(const ProgramSet &set, std::uint64_t fingerprint) {
  PinnedState state{};
  state.magic = PinnedState::the_magic;
  state.fingerprint = fingerprint;
  state.wire_version = IPTRACKD_WIRE_VERSION;
  for (const HookStatus &status : set.hooks) {
    auto &hook = state_of(state, status);
    hook.state = static_cast<std::uint8_t>(status.state);
    status.reason.copy(hook.reason, sizeof(hook.reason) - 1);
  }
  return state;
}

Result<void> pin_maps(const ProgramSet &set, const PinDirectory &directory) {
  bpf_map *map = nullptr;
  bpf_object__for_each_map(map, set.skeleton->obj) {
    if (!is_inheritable(*map)) continue;
    const std::string path = directory.pin(set.number, pin_name(*map));
    if (bpf_obj_pin(bpf_map__fd(map), path.c_str()) != 0) return fail_errno("cannot pin " + path);
  }
  return {};
}

std::uint32_t generation_in(const PinDirectory &directory, std::uint32_t set) {
  const Fd map = open_pin(directory.pin(set, "map_generation"));
  std::uint32_t generation = 0;
  if (map) bpf_map_lookup_elem(map.get(), &only_key, &generation);
  return generation;
}

bool has_every_link(const PinnedState &state) {
  return std::all_of(std::begin(state.hooks), std::end(state.hooks), [](const PinnedState::Hook &hook) {
    return hook.state != static_cast<std::uint8_t>(HookState::attached) || hook.pinned != 0;
  });
}

// The program behind a link.
Result<Fd> program_of(const bpf_link &link) {
  bpf_link_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(bpf_link__fd(&link), &info, &size) != 0)
    return fail_errno("cannot examine a link");
  Fd program{bpf_prog_get_fd_by_id(info.prog_id)};
  if (!program) return fail_errno("cannot open the program of a link");
  return program;
}

Result<std::vector<AttachedHook>> open_links(const std::vector<HookStatus> &hooks, std::uint32_t number,
                                             const PinDirectory &directory) {
  std::vector<AttachedHook> attached;
  for (const HookStatus &status : hooks) {
    if (status.state != HookState::attached || status.mechanism() == "iter") continue;
    Link link{bpf_link__open(directory.pin(number, link_name(status)).c_str())};
    if (!link) return fail_errno("cannot open the pinned link of " + std::string{status.hook->program});
    auto program = program_of(*link);
    if (!program) return tl::unexpected{program.error()};
    attached.push_back({status.hook->number, std::move(link), std::move(*program)});
  }
  return attached;
}

}  // namespace

Result<std::uint64_t> fingerprint_of(const TracerOptions &options, const KernelTypes &types) {
  const auto skeleton = open_programs(options, types);
  if (!skeleton) return tl::unexpected{skeleton.error()};
  std::string text;
  std::size_t size = 0;
  const auto *programs = static_cast<const char *>(iptrackd_bpf::elf_bytes(&size));
  text.append(programs, size);
  text.append(reinterpret_cast<const char *>((*skeleton)->rodata), sizeof(*(*skeleton)->rodata));
  text += std::to_string(static_cast<int>(options.mechanism)) + (options.probes.compat_calls ? "c" : "-");
  bpf_map *map = nullptr;
  bpf_object__for_each_map(map, (*skeleton)->obj) text += " " + std::to_string(bpf_map__max_entries(map));
  return XXH3_64bits(text.data(), text.size());
}

Result<void> put_in_force(const ProgramSet &set) {
  if (bpf_map_update_elem(bpf_map__fd(set.skeleton->maps.generation), &only_key, &set.number, BPF_ANY) == 0) {
    return {};
  }
  return fail_errno("cannot put the programs in force");
}

Result<void> pin(const ProgramSet &set, const PinDirectory &directory, std::uint64_t fingerprint) {
  if (auto made = directory.make_set(set.number); !made) return made;
  if (auto pinned = pin_maps(set, directory); !pinned) return pinned;
  PinnedState state = describe(set, fingerprint);
  for (const HookStatus &status : set.hooks) {
    if (status.mechanism() == "iter") state_of(state, status).pinned = 1;
    const auto found = std::find_if(set.attached.begin(), set.attached.end(), [&](const AttachedHook &hook) {
      return hook.number == status.hook->number;
    });
    if (found == set.attached.end() || !found->link) continue;
    const std::string path = directory.pin(set.number, link_name(status));
    state_of(state, status).pinned = bpf_link__pin(found->link.get(), path.c_str()) == 0 ? 1 : 0;
  }
  (void)libbpf_log_take();
  return write_state(directory, set.number, state);
}

void mark_filled(const ProgramSet &set, const PinDirectory &directory) {
  auto state = read_state(directory, set.number);
  const Fd map = open_pin(directory.pin(set.number, state_name));
  if (!state || !map) return;
  state->filled = 1;
  // An iterator that was refused is known only now.
  for (const HookStatus &status : set.hooks) {
    state_of(*state, status).state = static_cast<std::uint8_t>(status.state);
  }
  bpf_map_update_elem(map.get(), &only_key, &*state, BPF_ANY);
}

void leave_to_pins(ProgramSet &set) {
  for (AttachedHook &hook : set.attached) {
    if (hook.link && bpf_link__pin_path(hook.link.get()) != nullptr) bpf_link__disconnect(hook.link.get());
  }
}

PinnedSet find_set_in_force(const PinDirectory &directory) {
  const auto numbers = directory.sets();
  PinnedSet found;
  for (const auto number : numbers) {
    const auto state = read_state(directory, number);
    if (!state || generation_in(directory, number) != number) continue;
    const bool has_links = has_every_link(*state);
    found = {number, state->fingerprint, has_links && state->filled != 0, has_links,
             state->wire_version == IPTRACKD_WIRE_VERSION};
  }
  for (const auto number : numbers) {
    // A newer one was being made when its daemon ended. An older one may have rings that are not empty yet.
    if (number > found.number || !read_state(directory, number)) directory.remove_set(number);
  }
  return found;
}

Result<ProgramSet> adopt(const PinnedSet &pinned, const PinDirectory &directory, const TracerOptions &options,
                         const KernelTypes &types) {
  auto hooks = list_hooks(options, types);
  if (!hooks) return tl::unexpected{hooks.error()};
  auto state = read_state(directory, pinned.number);
  if (!state) return fail(Fault::environment, "the pinned state is gone");
  for (HookStatus &status : *hooks) {
    const auto &hook = state_of(*state, status);
    status.state = static_cast<HookState>(hook.state);
    status.reason.assign(hook.reason, strnlen(hook.reason, sizeof(hook.reason)));
  }
  auto skeleton = open_programs(options, types);
  if (!skeleton) return tl::unexpected{skeleton.error()};
  if (auto maps = inherit_all_maps(**skeleton, pinned.number, directory); !maps)
    return tl::unexpected{maps.error()};
  bpf_program *program = nullptr;
  bpf_object__for_each_program(program, (*skeleton)->obj) {
    bpf_program__set_autoload(program, bpf_program__type(program) == BPF_PROG_TYPE_RAW_TRACEPOINT);
  }
  if (const int error = iptrackd_bpf__load(skeleton->get()); error != 0) {
    return fail_errno("cannot take over the pinned maps", -error);
  }
  auto links = open_links(*hooks, pinned.number, directory);
  if (!links) return tl::unexpected{links.error()};
  return ProgramSet{pinned.number, std::move(*skeleton), std::move(*hooks), std::move(*links), true};
}

}  // namespace iptrackd::loader
