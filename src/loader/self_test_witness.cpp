#include "loader/self_test_witness.h"

#include <netinet/in.h>

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

}  // namespace

bool SelfTestWitness::note(std::span<const std::byte> record) noexcept {
  iptrackd_event event{};
  if (record.size() < sizeof(event)) return false;
  std::memcpy(&event, record.data(), sizeof(event));
  if ((event.flags & IPTRACKD_FLAG_SELF_TEST) == 0) return false;
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
