// The hooks: which BPF program hangs where, what it serves, and what can stand in for it.
//
// A duty is what a family of hooks is for. Each duty can be done by the hooks of either mechanism; those of
// one mechanism work together, so a duty is never shared between the two. Within a mechanism, hooks of the
// same role are alternatives: the first whose function this kernel has, with the signature that it expects,
// is taken.
#ifndef IPTRACKD_LOADER_HOOKS_H
#define IPTRACKD_LOADER_HOOKS_H

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "iptrackd/hook.h"

namespace iptrackd::loader {

// What to report; the probes of the configuration.
struct Probes {
  bool exec = true;
  bool tcp_connect = true, tcp_accept = true, tcp_bind = true, tcp_close = true;
  bool udp_connect = true, udp_bind = true, udp_close = true;
  bool compat_calls = false;  // the hooks that every system call of the host pays for

  [[nodiscard]] bool any_network() const noexcept {
    return tcp_connect || tcp_accept || tcp_bind || tcp_close || udp_connect || udp_bind || udp_close;
  }
};

enum class Duty : std::uint8_t { processes, exec, failed_exec, close, tcp_state, connect, bind, accept };
[[nodiscard]] bool is_wanted(Duty duty, const Probes &probes) noexcept;
// The events that are lost where a hook of DUTY fails; none: what it keeps serves all kinds.
[[nodiscard]] std::optional<Kind> kind_of(Duty duty) noexcept;

// any: a BTF tracepoint, which needs no trampoline and costs no other system call anything.
enum class Mechanism : std::uint8_t { any, fentry, tracepoint };

struct Hook {
  iptrackd_hook number;
  std::string_view program;  // in bpf/*.bpf.c
  Mechanism mechanism;
  Duty duty;
  std::string_view role;        // hooks of one role are alternatives
  std::string_view prototypes;  // of the function or tracepoint, as KernelTypes writes them, any of: "A | B"
  std::string_view purpose;     // what is missing without it
  bool optional = false;        // kernels that lack the function lack what it would see
  bool every_call = false;      // every system call pays for it: only where Probes::compat_calls asks
};

// All hooks, in the order in which they are attached: what keeps the tables comes before what reads them.
[[nodiscard]] std::span<const Hook> all_hooks() noexcept;

enum class HookState : std::uint8_t {
  attached,
  disabled,  // no probe of the configuration needs it
  spare,     // another hook does its work
  absent,    // this kernel has nothing of the kind
  refused,   // nothing does its work
};

struct HookStatus {
  const Hook *hook = nullptr;
  std::string target;  // as libbpf writes it: "fexit/inet_bind"
  HookState state = HookState::disabled;
  std::string reason;  // why it is in this state; of a refused one, the kernel's words
  // How many instructions the verifier looked at, which grows with every path that it follows; kernels give
  // up at a million. Only with TracerOptions::count_instructions.
  std::optional<std::uint64_t> verified_instructions = {};

  // "fentry", "fexit", "tp_btf", "tracepoint" or "cgroup".
  [[nodiscard]] std::string_view mechanism() const noexcept;
  // Behind the slash: the function, tracepoint or cgroup hook.
  [[nodiscard]] std::string_view function() const noexcept;
};

}  // namespace iptrackd::loader

#endif
