#include "control/socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace iptrackd::control {
namespace {

bool wait_for(const Fd &socket, short events, Deadline deadline) {
  using std::chrono::milliseconds;
  const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
  pollfd watched{socket.get(), events, 0};
  return left > milliseconds::zero() && poll(&watched, 1, static_cast<int>(left.count())) > 0;
}

}  // namespace

Result<sockaddr_un> address_of(const std::string &path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return fail(Fault::usage, path + " is too long for a socket; " +
                                  std::to_string(sizeof(address.sun_path) - 1) + " bytes at most");
  }
  path.copy(address.sun_path, path.size());
  return address;
}

Fd make_socket() {
  return Fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
}

bool connect_to(const Fd &socket, const sockaddr_un &address) {
  return ::connect(socket.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0;
}

bool send_all(const Fd &socket, std::string_view text, Deadline deadline) {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EINTR && (errno != EAGAIN || !wait_for(socket, POLLOUT, deadline))) {
      return false;
    }
  }
  return true;
}

std::optional<std::string> receive(const Fd &socket, std::size_t most, bool up_to_line, Deadline deadline) {
  std::string text;
  std::array<char, 4096> bytes{};
  while (text.size() <= most) {
    const ssize_t size = ::recv(socket.get(), bytes.data(), bytes.size(), 0);
    if (size == 0) return up_to_line ? std::nullopt : std::optional{text};
    if (size > 0) {
      const auto before = text.size();
      text.append(bytes.data(), static_cast<std::size_t>(size));
      const auto end = text.find('\n', before);
      if (up_to_line && end != std::string::npos && end <= most) return text.substr(0, end);
    } else if (errno != EINTR && (errno != EAGAIN || !wait_for(socket, POLLIN, deadline))) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace iptrackd::control
