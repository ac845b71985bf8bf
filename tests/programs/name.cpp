#include "name.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>

namespace iptrackd::oracle {

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

}  // namespace iptrackd::oracle
