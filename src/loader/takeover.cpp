#include "loader/takeover.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <utility>

#include "loader/choose.h"
#include "loader/tracer.h"

namespace iptrackd::loader {
namespace {

Result<void> map_own_rings(Installation &installation) {
  const auto &maps = installation.set.skeleton->maps;
  for (const bpf_map *map : {maps.exec_ring, maps.network_ring}) {
    auto ring = Ring::map(bpf_map__fd(map));
    if (!ring) return tl::unexpected{ring.error()};
    installation.rings.push_back(std::move(*ring));
  }
  return {};
}

// Rings that are not ours any more; false: there is none.
bool map_older_rings(Installation &installation, std::uint32_t number) {
  bool any = false;
  for (const char *name : {"map_exec_ring", "map_network_ring"}) {
    const Fd map{bpf_obj_get(installation.pins->pin(number, name).c_str())};
    if (!map) continue;
    auto ring = Ring::map(map.get());
    if (!ring || std::any_of(installation.rings.begin(), installation.rings.end(),
                             [&](const Ring &known) { return known.id() == ring->id(); })) {
      continue;
    }
    installation.rings.push_back(std::move(*ring));
    any = true;
  }
  return any;
}

void take_out_older_sets(Installation &installation) {
  for (const auto number : installation.pins->sets()) {
    if (number == installation.set.number) continue;
    installation.pins->remove_links(number);
    if (map_older_rings(installation, number)) {
      installation.older.push_back(number);
    } else {
      installation.pins->remove_set(number);
    }
  }
}

// Variables that another daemon has left in an unfortunate state.
void reset_variables(const ProgramSet &set) {
  set.skeleton->bss->self_test_tgid = 0;
  set.skeleton->bss->reader_asleep = 0;
}

// The iterators run when the set is in force, so that nothing falls between what they find and what the hooks
// see.
void fill_tables(ProgramSet &set) {
  Refusals refusals;
  run_iterators(*set.skeleton->obj, set.hooks, refusals);
  for (HookStatus &status : set.hooks) {
    const auto refusal = refusals.find(status.hook->number);
    if (refusal == refusals.end()) continue;
    status.state = HookState::refused;
    status.reason = refusal->second;
  }
}

Result<ProgramSet> make_set(const TracerOptions &options, const KernelTypes &types, const PinDirectory *pins,
                            const PinnedSet &before) {
  auto set = attach_best(options, types, {pins, before});
  if (!set) return set;
  if (pins != nullptr) {
    const auto fingerprint = fingerprint_of(options, types);
    if (!fingerprint) return tl::unexpected{fingerprint.error()};
    if (auto pinned = pin(*set, *pins, *fingerprint); !pinned) return tl::unexpected{pinned.error()};
  }
  if (auto in_force = put_in_force(*set); !in_force) return tl::unexpected{in_force.error()};
  if (!set->inherits_tables) fill_tables(*set);
  if (pins != nullptr) mark_filled(*set, *pins);
  return set;
}

// With pins: adopts what is there or puts a new set in its place.
Result<void> install_pinned(Installation &installation, const TracerOptions &options,
                            const KernelTypes &types) {
  const PinDirectory &pins = *installation.pins;
  const PinnedSet before = find_set_in_force(pins);
  const auto fingerprint = fingerprint_of(options, types);
  if (!fingerprint) return tl::unexpected{fingerprint.error()};
  if (before.is_adoptable && before.fingerprint == *fingerprint) {
    if (auto adopted = adopt(before, pins, options, types)) {
      installation.set = std::move(*adopted);
      installation.arrival = Arrival::adopted;
      reset_variables(installation.set);
      return {};
    }
  }
  auto set = make_set(options, types, &pins, before);
  if (!set) return tl::unexpected{set.error()};
  installation.set = std::move(*set);
  installation.arrival = before.missed_nothing ? Arrival::replaced : Arrival::fresh;
  return {};
}

}  // namespace

Result<Installation> install(const TracerOptions &options, const KernelTypes &types) {
  Installation installation;
  if (!options.pin_directory.empty()) {
    if (const auto usable = PinDirectory::check(options.pin_directory); !usable) {
      installation.no_pins = usable.error().message();
    } else {
      auto pins = PinDirectory::open(options.pin_directory);
      if (!pins) return tl::unexpected{pins.error()};
      installation.pins = std::move(*pins);
    }
  }
  if (installation.pins) {
    if (auto done = install_pinned(installation, options, types); !done) return tl::unexpected{done.error()};
  } else {
    auto set = make_set(options, types, nullptr, {});
    if (!set) return tl::unexpected{set.error()};
    installation.set = std::move(*set);
  }
  if (auto mapped = map_own_rings(installation); !mapped) return tl::unexpected{mapped.error()};
  if (installation.pins) take_out_older_sets(installation);
  return installation;
}

void forget_older(Installation &installation) {
  installation.rings.erase(installation.rings.begin() + Tracer::own_rings, installation.rings.end());
  for (const auto number : std::exchange(installation.older, {})) installation.pins->remove_set(number);
}

}  // namespace iptrackd::loader
