#include "socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace iptrackd::oracle {
namespace {

// The address as the database shows it: an IPv4 peer of an IPv6 socket is IPv4. NULL where the name is empty.
Json address_of(const Name &name) {
  if (name.size == 0) return nullptr;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (name.bytes.ss_family == AF_INET) {
    const auto &address = reinterpret_cast<const sockaddr_in &>(name.bytes);
    inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
    return text.data();
  }
  const auto &address = reinterpret_cast<const sockaddr_in6 &>(name.bytes).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    inet_ntop(AF_INET, &address.s6_addr[12], text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, &address, text.data(), text.size());
  }
  return text.data();
}

Json port_or_null(const Name &name) {
  return port_of(name) == 0 ? Json(nullptr) : Json(port_of(name));
}

bool is_wildcard(const Json &address) {
  return address == "0.0.0.0" || address == "::";
}

Json ephemeral_ports() {
  std::ifstream file{"/proc/sys/net/ipv4/ip_local_port_range"};
  int low = 0, high = 0;
  file >> low >> high;
  return {{"between", {low, high}}};
}

const char *proto_name(Proto proto) {
  return proto == Proto::tcp ? "tcp" : "udp";
}

const sockaddr *as_sockaddr(const Name &name) {
  return reinterpret_cast<const sockaddr *>(&name.bytes);
}

}  // namespace

Name name_of(Family family, const std::string &address, std::uint16_t port) {
  Name name;
  bool valid = false;
  if (family == Family::ipv4) {
    auto &in = reinterpret_cast<sockaddr_in &>(name.bytes);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    valid = inet_pton(AF_INET, address.c_str(), &in.sin_addr) == 1;
    name.size = sizeof(in);
  } else {
    auto &in = reinterpret_cast<sockaddr_in6 &>(name.bytes);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    const std::string text = family == Family::mapped ? "::ffff:" + address : address;
    valid = inet_pton(AF_INET6, text.c_str(), &in.sin6_addr) == 1;
    name.size = sizeof(in);
  }
  if (!valid) die("not an address: " + address);
  return name;
}

Name loopback(Family family, std::uint16_t port) {
  return name_of(family, family == Family::ipv6 ? "::1" : "127.0.0.1", port);
}

std::uint16_t port_of(const Name &name) {
  if (name.bytes.ss_family == AF_INET)
    return ntohs(reinterpret_cast<const sockaddr_in &>(name.bytes).sin_port);
  return ntohs(reinterpret_cast<const sockaddr_in6 &>(name.bytes).sin6_port);
}

Socket::Socket(Family family, Proto proto)
    : fd_{::socket(family == Family::ipv4 ? AF_INET : AF_INET6,
                   (proto == Proto::tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0)},
      proto_{proto} {
  if (!fd_) die("socket");
}

Socket::Socket(int fd, Proto proto, const Span &begun) : fd_{fd}, proto_{proto} {
  connected_ = true;
  begin_use(begun);
}

void Socket::begin_use(const Span &span) {
  // The first use counts: a socket that is bound and then connected has been in use since the bind.
  if (!begun_) {
    begun_ = span;
    opener_ = host_pid();
  }
  const Name own = local();
  local_address_ = address_of(own);
  local_port_ = port_or_null(own);
  if (!connected_) return;
  Name peer;
  peer.size = sizeof(peer.bytes);
  if (getpeername(fd(), reinterpret_cast<sockaddr *>(&peer.bytes), &peer.size) != 0) die("getpeername");
  remote_address_ = address_of(peer);
  remote_port_ = port_or_null(peer);
}

void Socket::add_addresses(Json &row) const {
  row["proto"] = proto_name(proto_);
  row["local_addr"] = local_address_;
  row["local_port"] = local_port_;
  row["remote_addr"] = remote_address_;
  row["remote_port"] = remote_port_;
}

int Socket::bind(Report &report, const Name &name) {
  Span span{now(), {}};
  const int result = ::bind(fd(), as_sockaddr(name), name.size) == 0 ? 0 : -errno;
  span.to = now();
  if (result == 0) begin_use(span);
  Json row = oracle::row("bind", span, result);
  add_addresses(row);
  if (result != 0) {
    row["local_addr"] = address_of(name);
    row["local_port"] = port_or_null(name);
  }
  report.add(std::move(row));
  return result;
}

void Socket::begin_connect(const Name &name) {
  set_blocking(false);
  target_ = name;
  connect_began_ = now();
  const bool begun = ::connect(fd(), as_sockaddr(name), name.size) == 0 || errno == EINPROGRESS;
  refused_at_once_ = begun ? 0 : -errno;
}

int Socket::connect(Report &report, const Name &name, Patience patience) {
  if (patience != Patience::blocking) {
    begin_connect(name);
    return finish_connect(report, patience);
  }
  target_ = name;
  connect_began_ = now();
  return finish_connect(report, patience);
}

int Socket::wait_for_outcome(Patience patience) {
  if (refused_at_once_ != 0) return refused_at_once_;
  if (patience == Patience::blocking) {
    return ::connect(fd(), as_sockaddr(target_), target_.size) == 0 ? 0 : -errno;
  }
  if (patience == Patience::connect) {
    for (;; usleep(1000)) {
      const Moment asked = now();
      if (::connect(fd(), as_sockaddr(target_), target_.size) == 0 || errno == EISCONN) return 0;
      if (errno != EALREADY && errno != EINPROGRESS) return -errno;
      still_undecided_ = asked;
    }
  }
  pollfd wait{fd(), POLLOUT, 0};
  // In short steps, so that the moment of the outcome is known to a millisecond.
  for (Moment asked = now(); poll(&wait, 1, 1) == 0; asked = now()) still_undecided_ = asked;
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) die("SO_ERROR");
  return -error;
}

int Socket::finish_connect(Report &report, Patience patience) {
  still_undecided_ = connect_began_;
  const int result = wait_for_outcome(patience);
  const Span span{connect_began_, now()};
  const Span decided{still_undecided_, span.to};
  if (result == 0) {
    connected_ = true;
    begin_use(span);
  }
  Json row = oracle::row("connect", decided, result);
  row["duration"] = duration_between({span.from, span.from}, decided);
  add_addresses(row);
  row["remote_addr"] = address_of(target_);
  row["remote_port"] = port_or_null(target_);
  // The kernel forgets the port that it chose for an attempt that was refused, so nobody can ask for it
  // afterwards.
  if (result == -ECONNREFUSED && !begun_) {
    row["local_addr"] = row["remote_addr"];
    row["local_port"] = ephemeral_ports();
  } else if (result != 0 && !begun_) {
    const Name own = local();
    row["local_addr"] = is_wildcard(address_of(own)) ? Json(nullptr) : address_of(own);
    row["local_port"] = port_or_null(own);
  }
  report.add(std::move(row));
  return result;
}

void Socket::abandon_connect(Report &report) {
  const Name own = local();
  local_address_ = address_of(own);
  local_port_ = port_or_null(own);
  Span span{connect_began_, {}};
  const Moment before_close = now();
  fd_.reset();
  span.to = now();
  Json row = oracle::row("connect", {before_close, span.to}, 0);
  row["result"] = {{"any_of", {nullptr, -ECONNABORTED, -ECONNRESET, -EINTR, -ECANCELED}}};
  row["duration"] = duration_between({span.from, span.from}, {before_close, span.to});
  add_addresses(row);
  row["remote_addr"] = address_of(target_);
  row["remote_port"] = port_or_null(target_);
  report.add(std::move(row));
}

std::optional<Socket> Socket::accept(Report &report, bool accept4) {
  Span span{now(), {}};
  const int accepted =
      accept4 ? ::accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC) : ::accept(fd(), nullptr, nullptr);
  if (accepted < 0) return std::nullopt;
  span.to = now();
  Socket connection{accepted, proto_, span};
  Json row = oracle::row("accept", span, 0);
  connection.add_addresses(row);
  report.add(std::move(row));
  return connection;
}

void Socket::listen(int backlog) {
  if (::listen(fd(), backlog) != 0) die("listen");
}

Json Socket::close_row() const {
  Json row = oracle::row("close", {}, 0);
  add_addresses(row);
  row["opener_pid"] = *opener_;
  if (proto_ == Proto::tcp && connected_) {
    row["bytes_sent"] = sent_;
    row["bytes_received"] = received_;
  }
  return row;
}

void Socket::leave_open(Report &report) {
  if (begun_) report.add_open(close_row(), *begun_);
}

void Socket::close(Report &report) {
  Span span{now(), {}};
  fd_.reset();
  span.to = now();
  if (!begun_) return;
  Json row = close_row();
  row["ts"] = ts_within(span);
  row["duration"] = duration_between(*begun_, span);
  report.add(std::move(row));
}

Name Socket::local() const {
  Name name;
  name.size = sizeof(name.bytes);
  if (getsockname(fd(), reinterpret_cast<sockaddr *>(&name.bytes), &name.size) != 0) die("getsockname");
  return name;
}

void Socket::set_blocking(bool blocking) {
  const int flags = fcntl(fd(), F_GETFL);
  if (fcntl(fd(), F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) != 0) die("fcntl");
}

void Socket::count(std::uint64_t sent, std::uint64_t received) {
  sent_ += sent;
  received_ += received;
}

}  // namespace iptrackd::oracle
