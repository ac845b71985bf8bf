// What both ends of the control socket need of the socket interface.
#ifndef IPTRACKD_CONTROL_SOCKET_H
#define IPTRACKD_CONTROL_SOCKET_H

#include <sys/un.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "core/fd.h"
#include "core/result.h"

namespace iptrackd::control {

using Deadline = std::chrono::steady_clock::time_point;

// Fault usage: PATH is too long for a socket.
[[nodiscard]] Result<sockaddr_un> address_of(const std::string &path);
[[nodiscard]] Fd make_socket();
// False: nobody listens at ADDRESS.
[[nodiscard]] bool connect_to(const Fd &socket, const sockaddr_un &address);

// All of TEXT; false: the other end is gone or slow.
[[nodiscard]] bool send_all(const Fd &socket, std::string_view text, Deadline deadline);
// What comes up to the end of the stream, or of the first line where UP_TO_LINE. nullopt: it is longer than
// MOST, or late.
[[nodiscard]] std::optional<std::string> receive(const Fd &socket, std::size_t most, bool up_to_line,
                                                 Deadline deadline);

}  // namespace iptrackd::control

#endif
