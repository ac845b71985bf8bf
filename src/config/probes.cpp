#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "config/fill.h"
#include "config/values.h"
#include "iptrackd/wire.h"

namespace iptrackd::config {
namespace {

constexpr std::array<std::pair<std::string_view, bool Probes::*>, 8> switches{{
    {"exec", &Probes::exec},
    {"tcp-connect", &Probes::tcp_connect},
    {"tcp-accept", &Probes::tcp_accept},
    {"tcp-bind", &Probes::tcp_bind},
    {"tcp-close", &Probes::tcp_close},
    {"udp-connect", &Probes::udp_connect},
    {"udp-bind", &Probes::udp_bind},
    {"udp-close", &Probes::udp_close},
}};

void fill_map(Section section, Probes &probes) {
  section.choice<Mechanism>(
      "mechanism", probes.mechanism,
      {{"auto", Mechanism::automatic}, {"fentry", Mechanism::fentry}, {"tracepoint", Mechanism::tracepoint}});
  for (const auto &[key, probe] : switches) section.flag(key, probes.*probe);
  section.flag("compat-calls", probes.compat_calls);
  section.integer("args-max-bytes", probes.args_max_bytes, 100, IPTRACKD_ARGS_MAX);
}

// activity_klog's mask: bits in the order of its list of network probes. Its one bit for bind means both
// protocols here; exec was a module of its own, without a bit, and stays on.
void fill_mask(std::uint32_t mask, Probes &probes) {
  probes.tcp_connect = (mask & 0x01U) != 0;
  probes.tcp_accept = (mask & 0x02U) != 0;
  probes.tcp_close = (mask & 0x04U) != 0;
  probes.udp_connect = (mask & 0x08U) != 0;
  probes.tcp_bind = probes.udp_bind = (mask & 0x10U) != 0;
  probes.udp_close = (mask & 0x20U) != 0;
}

bool any(const Probes &probes) {
  return std::any_of(switches.begin(), switches.end(), [&](const auto &one) { return probes.*one.second; });
}

}  // namespace

std::string left_out(const Probes &probes) {
  std::string list;
  for (const auto &[key, probe] : switches) {
    if (probes.*probe) continue;
    if (!list.empty()) list += ", ";
    list += key;
  }
  return list;
}

void fill_probes(Section &root, Probes &probes) {
  const TreeNode *node = root.take("probes");
  if (node == nullptr || node->type != TreeNode::Type::scalar) {
    fill_map({root.findings(), node, "probes"}, probes);
    if (node != nullptr && !any(probes))
      root.complain(node->key_at, "probes are all false; leave at least one true");
    return;
  }
  fill_map({root.findings(), nullptr, "probes"}, probes);  // makes the keys known
  const auto mask = parse_mask(node->scalar);
  if (!mask)
    return root.complain(node->at, "probes is " + in_quotes(node->scalar) +
                                       "; write a mapping of probes, or a mask from 0 to 0xffff");
  fill_mask(*mask, probes);
}

}  // namespace iptrackd::config
