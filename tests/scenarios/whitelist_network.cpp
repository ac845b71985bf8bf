#include "whitelist_network.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <fstream>

#include "core/fd.h"
#include "whitelist_ruled.h"

namespace iptrackd::scenario {
namespace {

ifreq request_for(const char *interface) {
  ifreq request{};
  std::strncpy(static_cast<char *>(request.ifr_name), interface, IFNAMSIZ - 1);
  return request;
}

void raise_loopback(const Fd &socket) {
  ifreq request = request_for("lo");
  request.ifr_flags = IFF_UP;
  must(ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0);
}

// The mask is that of the address' class; all of it is local, because this is the loopback interface.
void add_ipv4(const Fd &socket, const char *address) {
  ifreq request = request_for("lo:1");
  sockaddr_in name{};
  name.sin_family = AF_INET;
  must(inet_pton(AF_INET, address, &name.sin_addr) == 1);
  std::memcpy(&request.ifr_addr, &name, sizeof(name));
  must(ioctl(socket.get(), SIOCSIFADDR, &request) == 0);
}

// As linux/ipv6.h has it, which the C library's headers contradict.
struct Ipv6Request {
  in6_addr address;
  std::uint32_t prefix;
  int interface;
};

void add_ipv6(const char *address) {
  const Fd socket{::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  Ipv6Request request{{}, 128, static_cast<int>(if_nametoindex("lo"))};
  must(inet_pton(AF_INET6, address, &request.address) == 1);
  must(ioctl(socket.get(), SIOCSIFADDR, &request) == 0);
}

}  // namespace

void enter_own_network() {
  must(unshare(CLONE_NEWNET) == 0);
  const Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  raise_loopback(socket);
  add_ipv4(socket, "10.1.2.3");
  add_ipv6("2001:db8::1");
  must(static_cast<bool>(std::ofstream{"/proc/sys/net/ipv4/ip_unprivileged_port_start"} << 0 << std::flush));
}

}  // namespace iptrackd::scenario
