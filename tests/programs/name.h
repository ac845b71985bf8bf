// Name: an address and a port, as a caller of connect(2) or bind(2) writes them down.
#ifndef IPTRACKD_TESTS_PROGRAMS_NAME_H
#define IPTRACKD_TESTS_PROGRAMS_NAME_H

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "facts.h"

namespace iptrackd::oracle {

// Where a socket speaks to: how the caller wrote it down. `mapped` is an IPv4 address in an IPv6 socket.
enum class Family { ipv4, ipv6, mapped };

struct Name {
  sockaddr_storage bytes{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr *address() const { return reinterpret_cast<const sockaddr *>(&bytes); }
  [[nodiscard]] sockaddr *address() { return reinterpret_cast<sockaddr *>(&bytes); }
};
// ADDRESS is numeric, IPv4 for `mapped` too.
[[nodiscard]] Name name_of(Family family, const std::string &address, std::uint16_t port);
[[nodiscard]] Name loopback(Family family, std::uint16_t port);
[[nodiscard]] std::uint16_t port_of(const Name &name);

// The address as the database shows it: an IPv4 peer of an IPv6 socket is IPv4. NULL where the name is empty.
[[nodiscard]] Json address_of(const Name &name);
[[nodiscard]] Json port_or_null(const Name &name);

}  // namespace iptrackd::oracle

#endif
