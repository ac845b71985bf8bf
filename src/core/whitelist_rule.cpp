// From rules to their text. whitelist_rule_parser.cpp is the way back.
#include "core/whitelist_rule.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <span>

#include "core/event.h"

namespace iptrackd {
namespace {

constexpr std::size_t ipv4_bytes = 4;
constexpr unsigned mapped_bits = 96;  // of an IPv6 address before the IPv4 one that is mapped into it

// How many leading bits of MASK are set; nullopt where others are set too.
std::optional<unsigned> prefix_of(std::span<const std::uint8_t> mask) {
  unsigned bits = 0;
  std::size_t at = 0;
  while (at < mask.size() && mask[at] == 0xff) ++at;
  bits = static_cast<unsigned>(at) * 8;
  if (at == mask.size()) return bits;
  const auto ones = static_cast<unsigned>(std::countl_one(mask[at]));
  if (static_cast<std::uint8_t>(mask[at] << ones) != 0) return std::nullopt;
  const auto rest = mask.subspan(at + 1);
  if (std::any_of(rest.begin(), rest.end(), [](std::uint8_t byte) { return byte != 0; })) return std::nullopt;
  return bits + ones;
}

void append_hex(std::string &out, std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const auto byte : bytes) {
    out += digits[byte >> 4U];
    out += digits[byte & 0xfU];
  }
}

// A remote end that no ADDRESS/BITS means, such as a mask with a gap.
std::string unspeakable_remote(const iptrackd_network_rule &rule) {
  std::string out = "family " + std::to_string(rule.family) + ' ';
  append_hex(out, rule.remote);
  out += '/';
  append_hex(out, rule.remote_mask);
  return out;
}

std::string remote_text(const iptrackd_network_rule &rule) {
  const bool ipv4 = rule.family == AF_INET;
  std::array<std::uint8_t, 16> network{};
  for (std::size_t i = 0; i < network.size(); ++i) network[i] = rule.remote[i] & rule.remote_mask[i];
  const auto prefix = prefix_of(std::span{rule.remote_mask}.first(ipv4 ? ipv4_bytes : network.size()));
  const bool stray = ipv4 && std::any_of(network.begin() + ipv4_bytes, network.end(),
                                         [](std::uint8_t byte) { return byte != 0; });
  if ((!ipv4 && rule.family != AF_INET6) || !prefix || stray) return unspeakable_remote(rule);
  const auto address = ipv4 ? Address::from_v4(network.data()) : Address::from_v6(network.data());
  // Events never have a mapped address, so that such a rule matches nothing; its IPv4 notation would.
  if (!ipv4 && address.family == Address::Family::ipv4 && *prefix >= mapped_bits)
    return unspeakable_remote(rule);
  const unsigned all = ipv4 ? 32 : 128;
  return address.to_string() + (*prefix == all ? "" : '/' + std::to_string(*prefix));
}

std::string ports_text(std::uint16_t low, std::uint16_t high) {
  return std::to_string(low) + (low == high ? "" : '-' + std::to_string(high));
}

// A number stands for a kind that has no name here.
std::string kinds_text(std::uint8_t kinds) {
  std::string out;
  for (unsigned kind = 0; kind < 8; ++kind) {
    if ((kinds >> kind & 1U) == 0) continue;
    if (!out.empty()) out += ',';
    if (kind < IPTRACKD_KIND_COUNT) {
      out += kind_name(static_cast<Kind>(kind));
    } else {
      out += std::to_string(kind);
    }
  }
  return out;
}

std::string program_text(std::string_view program) {
  return (program.find('|') == std::string_view::npos ? "" : std::string(1, '\0')) + std::string{program};
}

// Would parse() take these bytes, with spaces for the NULs, for the same arguments?
bool speakable_arguments(std::string_view bytes) {
  if (bytes.empty() || bytes.back() != '\0') return false;
  char before = '\0';
  for (const char c : bytes) {
    if (c == '\0' ? before == '\0' : (static_cast<unsigned char>(c) <= ' ' || c == '\x7f')) return false;
    before = c;
  }
  return true;
}

std::string arguments_text(const iptrackd_exec_rule &rule) {
  const auto size = std::min<std::size_t>(rule.arguments_size, IPTRACKD_RULE_ARGUMENTS_SIZE);
  std::string out{&rule.arguments[0], size};
  if (size != rule.arguments_size || !speakable_arguments(out)) return '\0' + out;
  out.pop_back();
  std::replace(out.begin(), out.end(), '\0', ' ');
  // A space in front keeps an argument from being read as the user.
  return (rule.asks & IPTRACKD_RULE_UID) == 0 && out.starts_with("u<") ? ' ' + out : out;
}

RulePiece without_blanks(std::size_t at, std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {at, {}};
  return {at + begin, text.substr(begin, text.find_last_not_of(blanks) - begin + 1)};
}

}  // namespace

std::string_view rule_list_name(RuleList list) noexcept {
  return list == RuleList::network ? "network" : "exec";
}

std::string rule_text(std::string_view program, const iptrackd_network_rule &rule) {
  std::string out = program_text(program);
  const auto add = [&](unsigned asks, std::string_view name, const std::string &value) {
    if ((rule.asks & asks) != 0) out.append("|").append(name).append("<").append(value).append(">");
  };
  add(IPTRACKD_RULE_REMOTE, "i", remote_text(rule));
  add(IPTRACKD_RULE_SERVICE_PORT, "p", ports_text(rule.service_port_low, rule.service_port_high));
  add(IPTRACKD_RULE_REMOTE_PORT, "rp", ports_text(rule.remote_port_low, rule.remote_port_high));
  add(IPTRACKD_RULE_LOCAL_PORT, "lp", ports_text(rule.local_port_low, rule.local_port_high));
  add(IPTRACKD_RULE_UID, "u", std::to_string(rule.uid));
  add(IPTRACKD_RULE_KINDS, "k", kinds_text(rule.kinds));
  return out;
}

std::string rule_text(std::string_view program, const iptrackd_exec_rule &rule) {
  std::string out = program_text(program);
  if ((rule.asks & IPTRACKD_RULE_UID) != 0) out += "|u<" + std::to_string(rule.uid) + '>';
  // No bytes to begin with are no demand.
  if ((rule.asks & IPTRACKD_RULE_ARGUMENTS) != 0 && rule.arguments_size != 0)
    out += '|' + arguments_text(rule);
  return out;
}

std::string WhitelistRule::text() const {
  return list == RuleList::network ? rule_text(program, network) : rule_text(program, exec);
}

std::vector<RulePiece> split_rules(RuleList list, std::string_view text) {
  std::vector<RulePiece> pieces;
  if (without_blanks(0, text).text.empty()) return pieces;
  std::size_t begin = 0;
  bool behind_program = false;  // a path may hold a < that begins nothing
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '|') behind_program = true;
    if (list == RuleList::network && behind_program && (c == '<' || c == '>')) inside = c == '<';
    if (c != ',' || inside) continue;
    pieces.push_back(without_blanks(begin, text.substr(begin, i - begin)));
    begin = i + 1;
    behind_program = false;
  }
  pieces.push_back(without_blanks(begin, text.substr(begin)));
  return pieces;
}

}  // namespace iptrackd
