#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "deeds.h"
#include "last_close.h"

namespace iptrackd::oracle {
namespace {

// How long the sockets are in use, so that a duration of 0 or of another call would be noticed.
constexpr useconds_t use_us = 40'000;

struct Connection {
  Socket client;
  Socket peer;  // the accepted socket, or the UDP socket that the client is connected to
  std::optional<Socket> listener;
};

Connection connection_of(const Options &options, Report &report) {
  Socket server{options.family(), options.server_proto()};
  server.bind(report, loopback(options.family(), 0));
  Socket client{options.family(), options.proto()};
  const Name target = loopback(options.family(), port_of(server.local()));
  if (options.proto() == Proto::udp) {
    client.connect(report, target);
    return {std::move(client), std::move(server), std::nullopt};
  }
  server.listen();
  client.connect(report, target);
  auto accepted = server.accept(report);
  return {std::move(client), std::move(*accepted), std::move(server)};
}

// Moves BYTES from one socket to the other, reading while it writes: more than the buffers hold would stall
// else.
void pump(Socket &from, Socket &to, std::uint64_t bytes) {
  std::array<char, 65536> buffer{};
  from.set_blocking(false);
  to.set_blocking(false);
  for (std::uint64_t sent = 0, received = 0; received < bytes;) {
    if (sent < bytes) {
      const ssize_t count =
          send(from.fd(), buffer.data(), std::min<std::uint64_t>(buffer.size(), bytes - sent), 0);
      if (count > 0) sent += static_cast<std::uint64_t>(count);
    }
    const ssize_t count = recv(to.fd(), buffer.data(), buffer.size(), 0);
    if (count > 0) received += static_cast<std::uint64_t>(count);
  }
  from.count(bytes, 0);
  to.count(0, bytes);
}

void exchange(const Options &options, Connection &connection) {
  const std::uint64_t sent = options.number("sent", 0);
  const std::uint64_t received = options.number("received", 0);
  if (options.proto() == Proto::udp) {
    const std::string datagram(sent, 'x');
    if (sent > 0 && send(connection.client.fd(), datagram.data(), datagram.size(), 0) < 0) die("send");
    return;
  }
  pump(connection.client, connection.peer, sent);
  pump(connection.peer, connection.client, received);
}

// What the client sends is never read, so that closing the peer resets the connection.
void send_unread(const Options &options, Connection &connection) {
  const std::string bytes(options.number("sent", 1), 'x');
  if (send(connection.client.fd(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    die("send");
  connection.client.count(bytes.size(), 0);
  connection.peer.count(0, bytes.size());
}

void close_all(const Options &options, Connection &connection, Report &report) {
  if (options.is("first", "server")) {
    connection.peer.close(report);
    usleep(use_us);
    connection.client.close(report);
  } else {
    connection.client.close(report);
    connection.peer.close(report);
  }
  if (connection.listener) connection.listener->close(report);
}

void leave_all_open(Connection &connection, Report &report) {
  connection.client.leave_open(report);
  connection.peer.leave_open(report);
  if (connection.listener) connection.listener->leave_open(report);
}

void close_here(const Options &options, Report &report) {
  Connection connection = connection_of(options, report);
  if (options.is("how", "unread")) {
    send_unread(options, connection);
  } else {
    exchange(options, connection);
  }
  usleep(use_us);
  if (options.is("how", "shutdown")) {
    // Each FIN takes a sequence number, which must not be counted as a byte.
    if (shutdown(connection.client.fd(), SHUT_WR) != 0) die("shutdown");
    if (shutdown(connection.peer.fd(), SHUT_RDWR) != 0) die("shutdown");
    usleep(use_us);
  }
  if (options.is("how", "reset")) {
    const linger at_once{1, 0};
    if (setsockopt(connection.client.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) != 0)
      die("SO_LINGER");
  }
  if (options.is("how", "dup")) {
    // Only the second close is the last one; the first must leave no row.
    Fd copy{dup(connection.client.fd())};
    usleep(use_us);
    copy.reset();
    usleep(use_us);
  }
  close_all(options, connection, report);
}

// The child inherits everything and closes it after the parent has: it is the closer, the parent the opener.
void close_in_fork(const Options &options, Report &report) {
  Connection connection = connection_of(options, report);
  exchange(options, connection);
  std::array<int, 2> parent_is_done{};
  if (pipe(parent_is_done.data()) != 0) die("pipe");
  Child child{[&](Report &to) {
    close(parent_is_done[1]);
    char nothing = 0;
    if (read(parent_is_done[0], &nothing, 1) != 0) die("read");
    usleep(use_us);
    close_all(options, connection, to);
  }};
  Report unseen;
  close_all(options, connection, unseen);
  close(parent_is_done[0]);
  close(parent_is_done[1]);
  child.wait(report);
}

}  // namespace

void close_deed(const Options &options, Report &report) {
  if (close_last(options, report)) return;
  const std::string how = options.text("how", "close");
  if (how == "fork") return close_in_fork(options, report);
  if (how != "exit" && how != "kill") return close_here(options, report);
  const auto deed = [&](Report &to) {
    Connection connection = connection_of(options, to);
    exchange(options, connection);
    usleep(use_us);
    leave_all_open(connection, to);
  };
  Child{deed, how == "kill" ? Child::End::pause : Child::End::exit}.wait(report, how == "kill");
}

}  // namespace iptrackd::oracle
