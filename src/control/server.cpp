#include "control/server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "control/socket.h"

namespace iptrackd::control {
namespace {

constexpr std::chrono::seconds time_of_a_client{1};

// A daemon that was killed leaves its socket behind.
Result<void> take_away_remains(const std::string &path, const sockaddr_un &address) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno("cannot examine " + path);
  }
  if (!S_ISSOCK(status.st_mode) || status.st_uid != geteuid()) {
    return fail(Fault::environment, path + " is in the way: it is no socket of ours");
  }
  const Fd probe = make_socket();
  if (probe && connect_to(probe, address)) {
    return fail(Fault::environment, "another daemon listens at " + path);
  }
  if (unlink(path.c_str()) != 0) return fail_errno("cannot take away " + path);
  return {};
}

// The socket has its mode from its beginning: between bind() and a chmod() others could connect.
Result<Fd> listen_at(const std::string &path, const sockaddr_un &address) {
  Fd listener = make_socket();
  const mode_t mask = umask(0177);
  const bool bound =
      listener && bind(listener.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0;
  const int code = errno;
  umask(mask);
  if (!bound) return fail_errno("cannot make the socket " + path, code);
  if (listen(listener.get(), 8) != 0) return fail_errno("cannot listen at " + path);
  return listener;
}

// Whoever is not allowed to ask is nobody.
std::optional<Peer> peer_of(const Fd &client) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(client.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  if (peer.uid != 0 && peer.uid != geteuid()) return std::nullopt;
  return Peer{peer.pid, peer.uid};
}

}  // namespace

Result<std::unique_ptr<Server>> Server::open(const std::string &path, Answer answer) {
  const auto address = address_of(path);
  if (!address) return tl::unexpected{address.error()};
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path{path}.parent_path(), error);
  if (auto free = take_away_remains(path, *address); !free) return tl::unexpected{free.error()};
  auto listener = listen_at(path, *address);
  if (!listener) return tl::unexpected{listener.error()};
  Fd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!wake) return fail_errno("cannot create an eventfd");
  return std::unique_ptr<Server>{new Server{path, std::move(*listener), std::move(wake), std::move(answer)}};
}

Server::Server(std::string path, Fd listener, Fd wake, Answer answer)
    : path_{std::move(path)},
      listener_{std::move(listener)},
      wake_{std::move(wake)},
      answer_{std::move(answer)} {}

Server::~Server() {
  unlink(path_.c_str());
}

void Server::run(const std::stop_token &stop) {
  const std::stop_callback wake_up{stop, [this] { ::eventfd_write(wake_.get(), 1); }};
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> watched{{{listener_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    if (poll(watched.data(), watched.size(), -1) <= 0 || stop.stop_requested()) continue;
    Fd client{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (client) serve(std::move(client));
  }
}

void Server::serve(Fd client) const {
  constexpr std::size_t longest_of_strangers = 4096;
  const auto deadline = std::chrono::steady_clock::now() + time_of_a_client;
  const auto peer = peer_of(client);
  // Whoever is refused is read as well: what stays unread would take the answer away from him.
  const auto request = receive(client, peer ? longest_request : longest_of_strangers, true, deadline);
  if (!request) return;
  if (!peer) {
    (void)send_all(client, "!only root is heard here", deadline);
    return;
  }
  const auto answer = answer_(*request, *peer);
  // What was asked for may have taken longer than a client has.
  const auto late = std::chrono::steady_clock::now() + time_of_a_client;
  if (answer) {
    (void)send_all(client, "+" + *answer, late);
  } else {
    (void)send_all(client, (answer.error().fault() == Fault::usage ? "-" : "!") + answer.error().message(),
                   late);
  }
}

Result<std::string> ask(const std::string &path, std::string_view request) {
  constexpr std::size_t longest_answer = 16U << 20;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  const auto address = address_of(path);
  if (!address) return tl::unexpected{address.error()};
  const Fd socket = make_socket();
  if (!socket || !connect_to(socket, *address)) {
    return fail_errno("no daemon listens at " + path);
  }
  std::optional<std::string> answer;
  if (send_all(socket, std::string{request} + "\n", deadline)) {
    answer = receive(socket, longest_answer, false, deadline);
  }
  if (!answer || answer->empty())
    return fail(Fault::environment, "the daemon at " + path + " does not answer");
  if (answer->front() == '+') return answer->substr(1);
  if (answer->front() == '-') return fail(Fault::usage, answer->substr(1));
  return fail(Fault::environment, "the daemon at " + path + ": " + answer->substr(1));
}

}  // namespace iptrackd::control
