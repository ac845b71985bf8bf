#include "config/fill.h"
#include "config/values.h"
#include "iptrackd/wire.h"

namespace iptrackd::config {
namespace {

void fill_map(Section section, Probes &probes) {
  section.choice<Mechanism>(
      "mechanism", probes.mechanism,
      {{"auto", Mechanism::automatic}, {"fentry", Mechanism::fentry}, {"tracepoint", Mechanism::tracepoint}});
  section.flag("exec", probes.exec);
  section.flag("tcp-connect", probes.tcp_connect);
  section.flag("tcp-accept", probes.tcp_accept);
  section.flag("tcp-bind", probes.tcp_bind);
  section.flag("tcp-close", probes.tcp_close);
  section.flag("udp-connect", probes.udp_connect);
  section.flag("udp-bind", probes.udp_bind);
  section.flag("udp-close", probes.udp_close);
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
  return probes.exec || probes.tcp_connect || probes.tcp_accept || probes.tcp_bind || probes.tcp_close ||
         probes.udp_connect || probes.udp_bind || probes.udp_close;
}

}  // namespace

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
