#include "socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <utility>

namespace iptrackd::oracle {
namespace {

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
  return proto == Proto::udp ? "udp" : "tcp";
}

// Newer than the headers of the C library may be.
constexpr int ipproto_mptcp = 262;

int open_socket(Family family, Proto proto) {
  const int fd = ::socket(family == Family::ipv4 ? AF_INET : AF_INET6,
                          (proto == Proto::udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC,
                          proto == Proto::mptcp ? ipproto_mptcp : 0);
  if (fd >= 0) return fd;
  // Not built in, or switched off by net.mptcp.enabled.
  if (proto == Proto::mptcp && (errno == EPROTONOSUPPORT || errno == ENOPROTOOPT)) not_here("MPTCP");
  die("socket");
}

// Not of MPTCP sockets; a plain TCP client of an MPTCP listener is handed out as a plain TCP socket.
bool has_byte_counters(int fd) {
  int protocol = 0;
  socklen_t size = sizeof(protocol);
  if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0) die("SO_PROTOCOL");
  return protocol == IPPROTO_TCP;
}

// A row of a call that was made the way that is chosen for it.
Json row_of_call(std::string_view kind, const Span &when, int result) {
  Json row = oracle::row(kind, when, result);
  calls_for(kind).describe(row);
  return row;
}

}  // namespace

Socket::Socket(Family family, Proto proto) : fd_{open_socket(family, proto)}, proto_{proto} {}

Socket::Socket(const Socket &listener, const Accepted &accepted, const Span &begun)
    : fd_{accepted.handle.fd}, slot_{accepted.handle.slot}, proto_{listener.proto_}, connected_{true} {
  if (fd_) {
    begin_use(begun);
    return;
  }
  // Nobody can be asked for the addresses of a direct descriptor. Its listener has one address.
  begun_ = begun;
  opener_ = host_pid();
  has_byte_counters_ = true;
  take_addresses(listener.local(), accepted.peer);
}

void Socket::begin_use(const Span &span) {
  // The first use counts: a socket that is bound and then connected has been in use since the bind.
  if (!begun_) {
    begun_ = span;
    opener_ = host_pid();
  }
  has_byte_counters_ = has_byte_counters(fd());
  Name peer;
  if (connected_) {
    peer.size = sizeof(peer.bytes);
    if (getpeername(fd(), peer.address(), &peer.size) != 0) die("getpeername");
  }
  take_addresses(local(), peer);
}

void Socket::take_addresses(const Name &own, const Name &peer) {
  local_address_ = address_of(own);
  local_port_ = port_or_null(own);
  if (!connected_) return;
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
  const int result = calls_for("bind").bind(fd(), name);
  span.to = now();
  if (result == 0) begin_use(span);
  Json row = row_of_call("bind", span, result);
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
  ask_to_connect(name);
}

int Socket::ask_to_connect(const Name &name) {
  target_ = name;
  connect_began_ = now();
  const int result = calls_for("connect").connect(fd(), name);
  refused_at_once_ = result == -EINPROGRESS || result == -EINTR ? 0 : result;
  return result;
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
  if (patience == Patience::blocking) return calls_for("connect").connect(fd(), target_);
  if (patience == Patience::connect) {
    for (;; usleep(1000)) {
      const Moment asked = now();
      const int result = calls_for("connect").connect(fd(), target_);
      if (result == 0 || result == -EISCONN) return 0;
      if (result != -EALREADY && result != -EINPROGRESS) return result;
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
    count(calls_for("connect").sent_by_connect(), 0);
  }
  Json row = row_of_call("connect", decided, result);
  row["duration"] = duration_between({span.from, span.from}, decided);
  add_addresses(row);
  row["remote_addr"] = address_of(target_);
  row["remote_port"] = port_or_null(target_);
  // The kernel forgets the port that it chose for an attempt that was refused, so nobody can ask for it
  // afterwards.
  if ((result == -ECONNREFUSED || result == -ETIMEDOUT) && !begun_) {
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
  let_go();
  span.to = now();
  Json row = row_of_call("connect", {before_close, span.to}, 0);
  row["result"] = {{"any_of", {nullptr, -ECONNABORTED, -ECONNRESET, -EINTR, -ECANCELED}}};
  row["duration"] = duration_between({span.from, span.from}, {before_close, span.to});
  add_addresses(row);
  row["remote_addr"] = address_of(target_);
  row["remote_port"] = port_or_null(target_);
  report.add(std::move(row));
}

void Socket::begin_accept() {
  accept_began_ = now();
  calls_for("accept").begin_accept(fd());
}

std::optional<Socket> Socket::accept(Report &report, bool accept4) {
  Span span{accept_began_.value_or(now()), {}};
  const Accepted accepted = calls_for("accept").accept(fd(), accept4);
  if (accepted.error != 0) return std::nullopt;
  span.to = now();
  if (accepted.goes_on) accept_began_ = span.to;
  Socket connection{*this, accepted, span};
  Json row = row_of_call("accept", span, 0);
  connection.add_addresses(row);
  report.add(std::move(row));
  return connection;
}

// The descriptor, or what is in its place, is given back to the kernel.
void Socket::let_go() {
  if (fd_) calls_for("accept").end_accept(fd());
  calls_for("close").close({fd_.release(), std::exchange(slot_, std::nullopt)});
}

void Socket::listen(int backlog) {
  calls_for("connect").prepare_listener(fd());
  if (::listen(fd(), backlog) != 0) die("listen");
}

Json Socket::close_row() const {
  Json row = oracle::row("close", {}, 0);
  add_addresses(row);
  if (is_old_) {
    row.update({{"marks", {"preexisting"}}, {"duration", nullptr}});
    return row;
  }
  row["opener_pid"] = *opener_;
  if (connected_ && has_byte_counters_) {
    row["bytes_sent"] = sent_;
    row["bytes_received"] = received_;
  }
  return row;
}

void Socket::leave_open(Report &report) {
  if (begun_) report.add_open(close_row(), *begun_);
  // Whoever owned it would close it at the end of the deed, before the process ends.
  static_cast<void>(fd_.release());
}

void Socket::close(Report &report) {
  Span span{now(), {}};
  let_go();
  span.to = now();
  if (!begun_) return;
  Json row = close_row();
  calls_for("close").describe(row);
  row["ts"] = ts_within(span);
  if (!is_old_) row["duration"] = duration_between(*begun_, span);
  report.add(std::move(row));
}

Name Socket::local() const {
  Name name;
  name.size = sizeof(name.bytes);
  if (getsockname(fd(), name.address(), &name.size) != 0) die("getsockname");
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
