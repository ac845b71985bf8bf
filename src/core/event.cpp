#include "core/event.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace iptrackd {
namespace {

constexpr std::array<std::string_view, kind_count> kind_names{
    "exec", "connect", "accept", "bind", "close", "auth", "open_session", "close_session"};

constexpr std::array<std::string_view, mark_count> mark_names{
    "deleted",   "memfd",          "io_uring",  "preexisting", "redacted", "unvouched",
    "untrusted", "path_truncated", "delegated", "by_kernel",   "rebuilt"};

// A buffer that one huge event made large is given back instead of staying in the pool for ever.
constexpr std::size_t kept_capacity = 1024;

constexpr std::array<std::uint8_t, 12> v4_mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

template <typename Buffer>
void reset_buffer(Buffer &buffer) {
  buffer.reset();
  if (buffer.capacity() > kept_capacity) buffer.shrink();
}

}  // namespace

std::string_view kind_name(Kind kind) noexcept {
  return kind_names.at(static_cast<std::size_t>(kind));
}

std::string_view protocol_name(Protocol protocol) noexcept {
  return protocol == Protocol::tcp ? "tcp" : "udp";
}

std::string_view mark_name(Mark mark) noexcept {
  const auto bit = static_cast<std::uint32_t>(mark);
  std::size_t index = 0;
  while ((bit >> index) > 1) ++index;
  return mark_names.at(index);
}

void ArgList::assign(std::string_view bytes) {
  text_.assign(bytes);
  if (!bytes.empty() && bytes.back() != '\0') text_.edit().push_back('\0');
}

std::size_t ArgList::count() const noexcept {
  return static_cast<std::size_t>(std::count(bytes().begin(), bytes().end(), '\0'));
}

std::string Address::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family == Family::ipv4 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  return text.data();
}

std::optional<Address> Address::parse(std::string_view text) {
  text = text.substr(0, text.find('%'));
  if (text.size() >= INET6_ADDRSTRLEN) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  std::copy(text.begin(), text.end(), terminated.begin());
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, terminated.data(), bytes.data()) == 1) return from_v4(bytes.data());
  if (inet_pton(AF_INET6, terminated.data(), bytes.data()) == 1) return from_v6(bytes.data());
  return std::nullopt;
}

Address Address::from_v4(const std::uint8_t *bytes) noexcept {
  Address address{Family::ipv4, {}};
  std::copy_n(bytes, 4, address.bytes.begin());
  return address;
}

Address Address::from_v6(const std::uint8_t *bytes) noexcept {
  if (std::equal(v4_mapped_prefix.begin(), v4_mapped_prefix.end(), bytes)) return from_v4(bytes + 12);
  Address address{Family::ipv6, {}};
  std::copy_n(bytes, 16, address.bytes.begin());
  return address;
}

void Event::reset() noexcept {
  for (Text *text : {&tty, &comm, &exe, &cwd, &cgroup, &container, &job, &pam_service, &pam_user, &pam_ruser,
                     &pam_rhost}) {
    reset_buffer(*text);
  }
  reset_buffer(args);
  reset_buffer(environment);
  kind = Kind::exec;
  boot_ns = seq = 0;
  unix_us = 0;
  result.reset();
  for (auto *id : {&pid, &tid, &ppid, &sid, &opener_pid}) id->reset();
  for (auto *id : {&uid, &gid, &euid, &egid, &loginuid, &audit_session, &exe_device}) id->reset();
  for (auto *count : {&exe_inode, &mount_namespace, &duration_ns, &bytes_sent, &bytes_received})
    count->reset();
  args_truncated.reset();
  protocol.reset();
  local = {};
  remote = {};
  marks = 0;
  ring = 0;
  ring_position = 0;
  leftover = 0;
}

std::size_t Event::footprint() const noexcept {
  std::size_t bytes = sizeof(*this) + args.capacity() + environment.capacity();
  for (const Text *text : {&tty, &comm, &exe, &cwd, &cgroup, &container, &job, &pam_service, &pam_user,
                           &pam_ruser, &pam_rhost}) {
    bytes += text->capacity();
  }
  return bytes;
}

}  // namespace iptrackd
