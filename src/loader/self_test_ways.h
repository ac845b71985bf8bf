// The deeds of the self-test that go past the system calls: through io_uring. Which of them the hooks show
// depends on kernel and mechanism; what they do not show is to be said, not to be found out later.
#ifndef IPTRACKD_LOADER_SELF_TEST_WAYS_H
#define IPTRACKD_LOADER_SELF_TEST_WAYS_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace iptrackd::loader {

enum class Way : std::uint8_t {
  tcp_connect,
  refused_tcp_connect,  // before a SYN is sent
  udp_connect,
  bind,
  refused_bind,
  accept,
  accept_direct,  // into a table of the ring's own, without a descriptor
  accept_quiet,   // without a completion
};
inline constexpr std::size_t way_count = 8;
// "accept by io_uring", ...
[[nodiscard]] std::string_view way_name(Way way) noexcept;

// The port by which each deed is known, in host order: the local one of an accept or a bind, the remote one
// of a connect. 0: this kernel cannot do it.
using WayPorts = std::array<std::uint16_t, way_count>;

// No tracepoint tells of these accepts: their sockets would be counted as losses, and the daemon must not
// make losses of its own.
[[nodiscard]] bool is_hidden_from_tracepoints(Way way) noexcept;

// Performs them over the loopback interface; HIDDEN: also those of which tracepoints cannot tell. For a
// forked process: it takes no lock and allocates nothing.
[[nodiscard]] WayPorts perform_ways(bool hidden) noexcept;

// The WAY that an event is a sign of, if it came through io_uring: KIND as in wire.h.
struct WaySign {
  std::uint8_t kind;
  std::uint8_t protocol;
  bool failed;
};
[[nodiscard]] WaySign sign_of(Way way) noexcept;

}  // namespace iptrackd::loader

#endif
