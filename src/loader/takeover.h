// Takeover: how the kernel side comes to be: anew, or from what another daemon has left pinned.
#ifndef IPTRACKD_LOADER_TAKEOVER_H
#define IPTRACKD_LOADER_TAKEOVER_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "loader/arrival.h"
#include "loader/kernel_types.h"
#include "loader/pin_directory.h"
#include "loader/program_set.h"
#include "loader/ring.h"

namespace iptrackd::loader {

// The kernel side, in force.
struct Installation {
  ProgramSet set;
  Arrival arrival = Arrival::fresh;
  std::optional<PinDirectory> pins;  // none: nothing outlives the daemon
  std::string no_pins;               // why there are none; empty where none were asked for
  std::vector<Ring> rings;           // those of the set first: exec, network; then older ones to be emptied
  std::vector<std::uint32_t> older;  // sets whose rings these are
};

// Faults: environment: the kernel accepts no hook at all; another daemon uses the pins.
[[nodiscard]] Result<Installation> install(const TracerOptions &options, const KernelTypes &types);

// The older rings are empty: they and their pins go.
void forget_older(Installation &installation);

}  // namespace iptrackd::loader

#endif
