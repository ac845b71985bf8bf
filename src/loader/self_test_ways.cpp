#include "loader/self_test_ways.h"

#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/fd.h"
#include "iptrackd/wire.h"

namespace iptrackd::loader {
namespace {

constexpr std::array<std::string_view, way_count> way_names{
    "TCP connect by io_uring",
    "TCP connect by io_uring that is refused before a SYN",
    "UDP connect by io_uring",
    "bind by io_uring",
    "refused bind by io_uring",
    "accept by io_uring",
    "accept by io_uring into a direct descriptor",
    "accept by io_uring without a completion",
};

constexpr std::array<WaySign, way_count> way_signs{{
    {IPTRACKD_KIND_CONNECT, IPPROTO_TCP, false},
    {IPTRACKD_KIND_CONNECT, IPPROTO_TCP, true},
    {IPTRACKD_KIND_CONNECT, IPPROTO_UDP, false},
    {IPTRACKD_KIND_BIND, IPPROTO_TCP, false},
    {IPTRACKD_KIND_BIND, IPPROTO_TCP, true},
    {IPTRACKD_KIND_ACCEPT, IPPROTO_TCP, false},
    {IPTRACKD_KIND_ACCEPT, IPPROTO_TCP, false},
    {IPTRACKD_KIND_ACCEPT, IPPROTO_TCP, false},
}};

constexpr std::uint8_t operation_bind = 56;  // IORING_OP_BIND, since 6.11

class Submitter {
 public:
  Submitter() noexcept : ready_{io_uring_queue_init(4, &ring_, 0) == 0} {}
  ~Submitter() {
    if (ready_) io_uring_queue_exit(&ring_);
  }
  Submitter(const Submitter &) = delete;
  Submitter &operator=(const Submitter &) = delete;

  [[nodiscard]] bool ready() const noexcept { return ready_; }
  [[nodiscard]] bool has_direct_descriptors() noexcept {
    return io_uring_register_files_sparse(&ring_, 2) == 0;
  }
  [[nodiscard]] bool can_be_quiet() const noexcept { return (ring_.features & IORING_FEAT_CQE_SKIP) != 0; }
  [[nodiscard]] io_uring_sqe *next() noexcept { return io_uring_get_sqe(&ring_); }
  // Performs what next() was filled with; its result, 0 or more, or a negative errno.
  int perform() noexcept {
    io_uring_cqe *completion = nullptr;
    if (io_uring_submit_and_wait(&ring_, 1) < 0 || io_uring_peek_cqe(&ring_, &completion) != 0) return -EIO;
    const int result = completion->res;
    io_uring_cqe_seen(&ring_, completion);
    return result;
  }
  // The same where success has no completion; a second operation that does nothing tells that it is over.
  int perform_quietly() noexcept {
    io_uring_sqe *sign = next();
    io_uring_prep_nop(sign);
    return perform();
  }

 private:
  io_uring ring_{};
  bool ready_;
};

struct Target {
  sockaddr_in address{};
  [[nodiscard]] sockaddr *get() noexcept { return reinterpret_cast<sockaddr *>(&address); }
  [[nodiscard]] std::uint16_t port() const noexcept { return ntohs(address.sin_port); }
};

Target loopback_port(std::uint16_t port) {
  Target place;
  place.address.sin_family = AF_INET;
  place.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  place.address.sin_port = htons(port);
  return place;
}

Fd new_socket(int type) {
  return Fd{socket(AF_INET, type | SOCK_CLOEXEC, 0)};
}

// Listens on a free port, which PLACE tells then.
Fd new_listener(Target &place) {
  Fd listener = new_socket(SOCK_STREAM);
  place = loopback_port(0);
  socklen_t size = sizeof(place.address);
  const bool listens = listener && bind(listener.get(), place.get(), size) == 0 &&
                       listen(listener.get(), 4) == 0 && getsockname(listener.get(), place.get(), &size) == 0;
  return listens ? std::move(listener) : Fd{};
}

int connect_by(Submitter &ring, int socket, Target &to) {
  io_uring_prep_connect(ring.next(), socket, to.get(), sizeof(to.address));
  return ring.perform();
}

int bind_by(Submitter &ring, int socket, Target &to) {
  io_uring_sqe *request = ring.next();
  io_uring_prep_rw(operation_bind, request, socket, to.get(), 0, sizeof(to.address));
  return ring.perform();
}

// The port is a listener's, so that it is nobody else's.
std::uint16_t connect_way(Submitter &ring, int type, in_addr_t to, int expected) {
  Target place;
  const Fd listener = new_listener(place);
  place.address.sin_addr.s_addr = htonl(to);
  const Fd client = new_socket(type);
  return listener && connect_by(ring, client.get(), place) == expected ? place.port() : 0;
}

std::uint16_t bind_way(Submitter &ring) {
  const Fd socket = new_socket(SOCK_STREAM);
  Target place = loopback_port(0);
  socklen_t size = sizeof(place.address);
  if (bind_by(ring, socket.get(), place) != 0) return 0;
  return getsockname(socket.get(), place.get(), &size) == 0 ? place.port() : 0;
}

std::uint16_t refused_bind(Submitter &ring) {
  Target place;
  const Fd listener = new_listener(place);
  const Fd socket = new_socket(SOCK_STREAM);
  return listener && bind_by(ring, socket.get(), place) == -EADDRINUSE ? place.port() : 0;
}

std::uint16_t accept_by(Submitter &ring, Way way) {
  Target place;
  const Fd listener = new_listener(place);
  const Fd client = new_socket(SOCK_STREAM);
  if (!listener || connect(client.get(), place.get(), sizeof(place.address)) != 0) return 0;
  if (way == Way::accept_direct) {
    io_uring_prep_accept_direct(ring.next(), listener.get(), nullptr, nullptr, 0, 0);
    return ring.perform() == 0 ? place.port() : 0;
  }
  io_uring_sqe *request = ring.next();
  io_uring_prep_accept(request, listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
  if (way == Way::accept_quiet) {
    request->flags |= IOSQE_CQE_SKIP_SUCCESS;
    return ring.perform_quietly() == 0 ? place.port() : 0;  // the descriptor is closed with the process
  }
  const Fd accepted{ring.perform()};
  return accepted ? place.port() : 0;
}

}  // namespace

std::string_view way_name(Way way) noexcept {
  return way_names.at(static_cast<std::size_t>(way));
}

WaySign sign_of(Way way) noexcept {
  return way_signs.at(static_cast<std::size_t>(way));
}

bool is_hidden_from_tracepoints(Way way) noexcept {
  return way == Way::accept_direct || way == Way::accept_quiet;
}

WayPorts perform_ways(bool hidden) noexcept {
  WayPorts ports{};
  Submitter ring;
  if (!ring.ready()) return ports;
  const auto port = [&](Way way) -> std::uint16_t & { return ports[static_cast<std::size_t>(way)]; };
  port(Way::tcp_connect) = connect_way(ring, SOCK_STREAM, INADDR_LOOPBACK, 0);
  // No stream goes to a broadcast address.
  port(Way::refused_tcp_connect) = connect_way(ring, SOCK_STREAM, INADDR_BROADCAST, -ENETUNREACH);
  port(Way::udp_connect) = connect_way(ring, SOCK_DGRAM, INADDR_LOOPBACK, 0);
  port(Way::bind) = bind_way(ring);
  port(Way::refused_bind) = refused_bind(ring);
  port(Way::accept) = accept_by(ring, Way::accept);
  if (!hidden) return ports;
  if (ring.has_direct_descriptors()) port(Way::accept_direct) = accept_by(ring, Way::accept_direct);
  if (ring.can_be_quiet()) port(Way::accept_quiet) = accept_by(ring, Way::accept_quiet);
  return ports;
}

}  // namespace iptrackd::loader
