// Drift: what the BPF programs rely on in a kernel, held against the types of any kernel. Nothing is loaded.
//
// A field is relied on where the programs' object has a CO-RE relocation for it (.BTF.ext); a signature,
// where a hook names prototypes. Only what types can tell is told: not whether the kernel lets a program in.
#ifndef IPTRACKD_LOADER_DRIFT_H
#define IPTRACKD_LOADER_DRIFT_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "loader/hooks.h"
#include "loader/kernel_types.h"

namespace iptrackd::loader {

enum class Fit : std::uint8_t {
  there,         // as the programs were built with it
  moved,         // at another offset, or of another value: CO-RE follows
  provided_for,  // not there, which the programs ask before they read it
  changed,       // of another kind or size: a read would give something else than what is meant
  missing,
};
[[nodiscard]] constexpr bool is_failure(Fit fit) noexcept {
  return fit == Fit::changed || fit == Fit::missing;
}

// A field, an enumerator or a type as such.
struct NeedFit {
  std::string name;  // "struct task_struct.loginuid.val", "enum pid_type.PIDTYPE_SID"
  Fit fit = Fit::missing;
  std::string words;  // "offset 2336, was 2304; 8 bytes"; of a failure, what is wrong
};

// The types of an object's programs (.BTF) and what is to be relocated in them (.BTF.ext), against KERNEL's.
// Sorted by name, each once. Fails (environment) where RELOCATIONS are malformed; KERNEL may hold any
// nonsense.
[[nodiscard]] Result<std::vector<NeedFit>> compare_needs(const btf &programs,
                                                         std::span<const std::byte> relocations,
                                                         const btf &kernel);

struct HookFit {
  const Hook *hook = nullptr;
  std::string target;                 // as libbpf writes it: "fexit/inet_bind"
  std::optional<std::string> misfit;  // why it cannot work; none: it fits, as far as types tell
};

// With all probes wanted.
struct DutyFit {
  std::string_view name;
  bool has_mechanisms = true;  // false: its hooks are BTF tracepoints only, which are of neither mechanism
  // Why it cannot be done by a mechanism; none: it can.
  std::optional<std::string> fentry_obstacle, tracepoint_obstacle;

  [[nodiscard]] bool works() const noexcept { return !fentry_obstacle || !tracepoint_obstacle; }
};

struct Drift {
  std::vector<NeedFit> needs;
  std::vector<HookFit> hooks;  // in the order of all_hooks()
  std::vector<DutyFit> duties;
};

// The programs of this build against KERNEL.
[[nodiscard]] Result<Drift> compare_types(const KernelTypes &kernel);

}  // namespace iptrackd::loader

#endif
