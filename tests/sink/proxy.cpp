#include "sink/proxy.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>

namespace iptrackd::test {
namespace {

using std::chrono::milliseconds;

Fd connect_to(const std::map<std::string, std::string> &server) {
  const std::string &host = server.at("host");
  const auto port = static_cast<std::uint16_t>(std::stoi(server.at("port")));
  if (host[0] == '/') {
    Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = host + "/.s.PGSQL." + server.at("port");
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (connect(socket.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)) != 0) return Fd{};
    return socket;
  }
  Fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)) != 0) return Fd{};
  return socket;
}

bool send_all(int fd, const std::string &bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t count = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

// What is there; empty at the end.
std::string receive(int fd) {
  std::array<char, 65536> buffer{};
  const ssize_t count = recv(fd, buffer.data(), buffer.size(), 0);
  return count <= 0 ? std::string{} : std::string(buffer.data(), static_cast<std::size_t>(count));
}

}  // namespace

Proxy::Proxy(const std::map<std::string, std::string> &server)
    : server_{server}, listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  REQUIRE(bind(listener_.get(), reinterpret_cast<sockaddr *>(&address), size) == 0);
  REQUIRE(listen(listener_.get(), 200) == 0);
  REQUIRE(getsockname(listener_.get(), reinterpret_cast<sockaddr *>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread{[this](const std::stop_token &stop) { run(stop); }};
}

Proxy::~Proxy() = default;

std::map<std::string, std::string> Proxy::connection() const {
  auto keywords = server_;
  keywords["host"] = "127.0.0.1";
  keywords["port"] = std::to_string(port_);
  return keywords;
}

void Proxy::plan(Fault fault, int count, milliseconds delay) {
  fault_ = fault;
  delay_ms_ = delay.count();
  planned_ = count;
}

Proxy::Fault Proxy::take_plan() {
  if (planned_ <= 0) return Fault::none;
  --planned_;
  return fault_;
}

void Proxy::run(const std::stop_token &stop) {
  while (!stop.stop_requested()) {
    // A link whose client is gone has a descriptor of -1 there, which poll() passes over.
    std::vector<pollfd> entries{{listener_.get(), POLLIN, 0}};
    for (const Link &link : links_) {
      entries.push_back({link.client.get(), POLLIN, 0});
      entries.push_back({link.server.get(), POLLIN, 0});
    }
    poll(entries.data(), entries.size(), 5);
    if (hole_) {
      std::this_thread::sleep_for(milliseconds{5});
      continue;
    }
    std::size_t at = 1;
    for (auto link = links_.begin(); link != links_.end(); at += 2) {
      bool alive = true;
      if (!link->held.empty() && Clock::now() >= link->due) {
        alive = send_all(link->server.get(), std::exchange(link->held, {}));
        link->late = true;
      }
      if (alive && entries[at].revents != 0) alive = from_client(*link);
      if (alive && entries[at + 1].revents != 0) alive = from_server(*link);
      link = alive ? std::next(link) : links_.erase(link);
    }
    if (entries[0].revents != 0) accept_one();
  }
}

void Proxy::accept_one() {
  Fd client{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  if (!client) return;
  Fd server = connect_to(server_);
  if (server) links_.push_back({std::move(client), std::move(server), {}, {}, false, false});
}

bool Proxy::from_client(Link &link) {
  const std::string bytes = receive(link.client.get());
  if (bytes.empty()) return false;
  // libpq sends a query in one piece, and waits for the answer before the next. A query ends with a NUL.
  if (bytes.find(std::string{"COMMIT\0", 7}) == std::string::npos) return send_all(link.server.get(), bytes);
  switch (take_plan()) {
    case Fault::none:
      return send_all(link.server.get(), bytes);
    case Fault::cut_after_commit:
      ++met_;
      link.cut = true;
      return send_all(link.server.get(), bytes);
    case Fault::delay_commit:
      ++met_;
      link.held = bytes;
      link.due = Clock::now() + milliseconds{delay_ms_};
      link.client.reset();
      return true;
    case Fault::black_hole:
      ++met_;
      hole_ = true;
      return true;
  }
  return false;
}

bool Proxy::from_server(Link &link) {
  const std::string bytes = receive(link.server.get());
  if (link.late) {
    ++delivered_;
    return false;
  }
  if (bytes.empty() || link.cut) return false;
  return !link.client || send_all(link.client.get(), bytes);
}

}  // namespace iptrackd::test
