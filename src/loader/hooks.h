// The hooks: which BPF program hangs where, and which kinds of event are lost without it.
#ifndef IPTRACKD_LOADER_HOOKS_H
#define IPTRACKD_LOADER_HOOKS_H

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace iptrackd::loader {

// What to report; the probes of the configuration.
struct Probes {
  bool exec = true;
  bool tcp_connect = true, tcp_accept = true, tcp_bind = true, tcp_close = true;
  bool udp_connect = true, udp_bind = true, udp_close = true;

  [[nodiscard]] bool any_network() const noexcept {
    return tcp_connect || tcp_accept || tcp_bind || tcp_close || udp_connect || udp_bind || udp_close;
  }
};

struct Hook {
  std::string_view program;    // in bpf/*.bpf.c
  std::string_view mechanism;  // "tracepoint": the only one of these programs' family
  std::string_view section;    // where it hangs, as libbpf writes it: "tp_btf/inet_sock_set_state"
  std::string_view purpose;    // what is missing without it
  bool (*wanted)(const Probes &);
};

// All hooks, in the order in which they are attached: what keeps the tables comes before what reads them.
[[nodiscard]] std::span<const Hook> all_hooks() noexcept;

enum class HookState : std::uint8_t { attached, disabled, refused };

struct HookStatus {
  const Hook *hook = nullptr;
  HookState state = HookState::disabled;
  std::string reason;  // refused: what the kernel said
};

}  // namespace iptrackd::loader

#endif
