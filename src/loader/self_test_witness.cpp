#include "loader/self_test_witness.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "iptrackd/wire.h"

namespace iptrackd::loader {
namespace {

struct Sign {
  std::string_view name;
  bool Probes::*wanted;
  __u8 kind;
  __u8 protocol;  // 0: any
  bool failed;    // a negative result
};

constexpr std::array signs{
    Sign{"exec", &Probes::exec, IPTRACKD_KIND_EXEC, 0, false},
    Sign{"failed exec", &Probes::exec, IPTRACKD_KIND_EXEC, 0, true},
    Sign{"TCP connect", &Probes::tcp_connect, IPTRACKD_KIND_CONNECT, IPPROTO_TCP, false},
    Sign{"UDP connect", &Probes::udp_connect, IPTRACKD_KIND_CONNECT, IPPROTO_UDP, false},
    Sign{"accept", &Probes::tcp_accept, IPTRACKD_KIND_ACCEPT, IPPROTO_TCP, false},
    Sign{"TCP bind", &Probes::tcp_bind, IPTRACKD_KIND_BIND, IPPROTO_TCP, false},
    Sign{"UDP bind", &Probes::udp_bind, IPTRACKD_KIND_BIND, IPPROTO_UDP, false},
    Sign{"TCP close", &Probes::tcp_close, IPTRACKD_KIND_CLOSE, IPPROTO_TCP, false},
    Sign{"UDP close", &Probes::udp_close, IPTRACKD_KIND_CLOSE, IPPROTO_UDP, false},
};

bool is_sign(const iptrackd_event &event, const Sign &sign) {
  return event.kind == sign.kind && (sign.protocol == 0 || event.protocol == sign.protocol) &&
         (event.result < 0) == sign.failed;
}

// One number for a deed and its place; 0 is none, as no deed has port 0.
constexpr std::uint32_t packed(const WaySign &sign, std::uint16_t port) {
  return std::uint32_t{port} | std::uint32_t{sign.kind} << 16 |
         (sign.protocol == IPPROTO_UDP ? 1U << 24 : 0U) | (sign.failed ? 1U << 25 : 0U);
}

}  // namespace

void SelfTestWitness::forget() noexcept {
  seen_.store(0);
  ways_noted_.store(0);
  for (auto &way : ways_) way.store(0);
}

void SelfTestWitness::note_way(const iptrackd_event &event) noexcept {
  const std::uint16_t port = event.kind == IPTRACKD_KIND_CONNECT ? event.remote_port : event.local_port;
  const auto index = ways_noted_.fetch_add(1);
  if (index < ways_.size()) ways_[index].store(packed({event.kind, event.protocol, event.result < 0}, port));
}

bool SelfTestWitness::saw(Way way, std::uint16_t port) const noexcept {
  const auto wanted = packed(sign_of(way), port);
  return std::any_of(ways_.begin(), ways_.end(), [&](const auto &noted) { return noted.load() == wanted; });
}

bool SelfTestWitness::note(std::span<const std::byte> record) noexcept {
  iptrackd_event event{};
  if (record.size() < sizeof(event)) return false;
  std::memcpy(&event, record.data(), sizeof(event));
  if ((event.flags & IPTRACKD_FLAG_SELF_TEST) == 0) return false;
  if ((event.flags & IPTRACKD_FLAG_IO_URING) != 0) {
    note_way(event);
    return true;
  }
  for (std::size_t i = 0; i < signs.size(); ++i) {
    if (is_sign(event, signs[i])) seen_.fetch_or(1U << i);
  }
  return true;
}

std::vector<std::string_view> SelfTestWitness::missing(const Probes &probes) const {
  std::vector<std::string_view> names;
  const auto seen = seen_.load();
  for (std::size_t i = 0; i < signs.size(); ++i) {
    if (probes.*signs[i].wanted && (seen & (1U << i)) == 0) names.push_back(signs[i].name);
  }
  return names;
}

}  // namespace iptrackd::loader
