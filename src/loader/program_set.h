// ProgramSet: the BPF programs as they are loaded and attached together, and how such a set outlives the
// daemon: it is pinned, and the next daemon adopts it as it is, or puts another in its place.
//
// A set acts only while its number stands in the map `generation`, which all sets share: so that the new one
// is attached beside the old, and one write switches from the one to the other.
#ifndef IPTRACKD_LOADER_PROGRAM_SET_H
#define IPTRACKD_LOADER_PROGRAM_SET_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/result.h"
#include "loader/attach.h"
#include "loader/hooks.h"
#include "loader/pin_directory.h"
#include "loader/programs.h"

namespace iptrackd::loader {

// The members are in the order of their making: links go before what they hang on.
struct ProgramSet {
  std::uint32_t number = 1;
  Skeleton skeleton;
  std::vector<HookStatus> hooks;  // all of them, each with its state
  std::vector<AttachedHook> attached;
  bool inherits_tables = false;  // its maps are those of the set before, with what they hold
};

// What stands beside the pins of a set; the value of the map `state`.
struct PinnedState {
  static constexpr std::uint64_t the_magic = 0x6970747261636b64;  // "iptrackd"
  static constexpr std::size_t reason_size = 118;
  struct Hook {
    std::uint8_t state;   // HookState
    std::uint8_t pinned;  // its link is
    char reason[reason_size];
  };
  std::uint64_t magic;
  std::uint64_t fingerprint;  // of the programs, their constants and the sizes of their maps
  std::uint32_t wire_version;
  std::uint32_t filled;  // the iterators have run
  Hook hooks[IPTRACKD_HOOK_COUNT];
};

// The fingerprint of what OPTIONS make of the programs on this kernel.
[[nodiscard]] Result<std::uint64_t> fingerprint_of(const TracerOptions &options, const KernelTypes &types);

// Makes SET the one that acts, in one instant.
[[nodiscard]] Result<void> put_in_force(const ProgramSet &set);

// Pins all of SET. A hook whose link the kernel cannot keep stops with the daemon; that is no failure.
[[nodiscard]] Result<void> pin(const ProgramSet &set, const PinDirectory &directory,
                               std::uint64_t fingerprint);
// The iterators have run.
void mark_filled(const ProgramSet &set, const PinDirectory &directory);
// From now on the kernel keeps what is pinned, whatever becomes of SET.
void leave_to_pins(ProgramSet &set);

// A set that another daemon has pinned.
struct PinnedSet {
  std::uint32_t number = 0;
  std::uint64_t fingerprint = 0;
  bool is_adoptable = false;    // complete, filled, each hook with its link
  bool missed_nothing = false;  // each hook with its link: it went on without a daemon
  bool has_our_wire = false;    // its records are such as this program reads
};
// The set in DIRECTORY that is in force; number 0: there is none. A newer one, whose daemon ended while it
// made it, is taken out; an older one is left, as its rings may not be empty.
[[nodiscard]] PinnedSet find_set_in_force(const PinDirectory &directory);
// Takes over SET as it is; it must be adoptable and have our fingerprint.
[[nodiscard]] Result<ProgramSet> adopt(const PinnedSet &set, const PinDirectory &directory,
                                       const TracerOptions &options, const KernelTypes &types);
}  // namespace iptrackd::loader

#endif
