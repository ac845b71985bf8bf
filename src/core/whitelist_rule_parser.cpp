// From the text of a rule to the rule. The text is split at | first, then each part is read by what knows it;
// each part carries its place in the whole, so that a mistake can be pointed at.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

#include "core/event.h"
#include "core/whitelist_rule.h"

namespace iptrackd {
namespace {

constexpr std::size_t program_bytes_max = 4095;  // PATH_MAX without its NUL

using MaybeMistake = std::optional<RuleMistake>;  // nullopt: the part was read

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '\x7f';
}

// Bytes of a rule as a message can show them.
std::string shown(std::string_view text) {
  constexpr std::size_t shown_max = 40;
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "'";
  for (const char c : text.substr(0, shown_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out.append("\\x").append(1, digits[byte >> 4U]).append(1, digits[byte & 0xfU]);
    }
  }
  return out + (text.size() > shown_max ? "...'" : "'");
}

RulePiece tail(const RulePiece &piece, std::size_t from) {
  return {piece.at + from, piece.text.substr(from)};
}

tl::unexpected<RuleMistake> refuse(std::size_t at, std::string message) {
  return tl::unexpected<RuleMistake>{RuleMistake{at, std::move(message)}};
}

tl::expected<std::string, RuleMistake> read_path(std::string_view text) {
  std::string path;
  for (std::size_t at = 0; at < text.size();) {
    const auto begin = text.find_first_not_of('/', at);
    if (begin == std::string_view::npos)
      return refuse(at, "the path ends with a slash; write that of a program, not of a directory");
    const auto end = std::min(text.find('/', begin), text.size());
    const auto component = text.substr(begin, end - begin);
    if (component == "." || component == "..")
      return refuse(begin, "the path goes by " + shown(component) + "; write it without");
    if (path.size() + 1 + component.size() > program_bytes_max)
      return refuse(begin + program_bytes_max - path.size() - 1,
                    "the path is longer than a path can be; write at most 4095 bytes");
    path.append("/").append(component);
    at = end;
  }
  // A list of rules gives no blanks at a rule's end, and "/bin/x | p<1>" would never match anything.
  if (path.ends_with(' ')) return refuse(text.size() - 1, "the path ends with a space; remove it");
  return path;
}

tl::expected<std::string, RuleMistake> read_program(std::string_view text) {
  if (text == "*") return std::string{text};
  if (text.empty()) return refuse(0, "the program is missing; write its absolute path, or * for any program");
  if (text.starts_with('*'))
    return refuse(1, shown(text.substr(1)) + " follows the *; write * alone, or an absolute path");
  if (!text.starts_with('/'))
    return refuse(0, shown(text) + " is no absolute path; begin with a slash, or write * for any program");
  return read_path(text);
}

struct Number {
  std::string_view name;
  std::uint64_t low;
  std::uint64_t high;
};
constexpr Number port_number{"port", 1, std::numeric_limits<std::uint16_t>::max()};
// The highest of all means "no user" to the kernel.
constexpr Number user_number{"user id", 0, std::numeric_limits<std::uint32_t>::max() - 1};

std::string advice(const Number &what) {
  return "; write a whole number from " + std::to_string(what.low) + " to " + std::to_string(what.high);
}

// Takes the number off the front of PIECE.
tl::expected<std::uint64_t, RuleMistake> take_number(RulePiece &piece, const Number &what) {
  const auto text = piece.text;
  if (text.empty()) return refuse(piece.at, "the " + std::string{what.name} + " is missing" + advice(what));
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto size = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || number < what.low || number > what.high)
    return refuse(piece.at, shown(size == 0 ? text : text.substr(0, size)) + " is no " +
                                std::string{what.name} + advice(what));
  piece = tail(piece, size);
  return number;
}

tl::expected<std::uint64_t, RuleMistake> read_number(RulePiece piece, const Number &what) {
  auto number = take_number(piece, what);
  if (number && !piece.text.empty())
    return refuse(piece.at, shown(piece.text) + " follows the " + std::string{what.name} + advice(what));
  return number;
}

MaybeMistake read_ports(RulePiece piece, std::uint16_t &low, std::uint16_t &high) {
  const auto first = take_number(piece, port_number);
  if (!first) return first.error();
  low = high = static_cast<std::uint16_t>(*first);
  if (piece.text.empty()) return std::nullopt;
  if (piece.text.front() != '-')
    return RuleMistake{piece.at, shown(piece.text) + " follows the port; write PORT or LOW-HIGH"};
  piece = tail(piece, 1);
  const auto last = read_number(piece, port_number);
  if (!last) return last.error();
  if (*last < *first)
    return RuleMistake{piece.at, "the ports end before they begin; write the lower one first"};
  high = static_cast<std::uint16_t>(*last);
  return std::nullopt;
}

MaybeMistake read_user(const RulePiece &piece, std::uint32_t &uid) {
  const auto number = read_number(piece, user_number);
  if (!number) return number.error();
  uid = static_cast<std::uint32_t>(*number);
  return std::nullopt;
}

// The first BITS bits of ADDRESS, and the mask of these.
void put_network(const Address &address, std::uint64_t bits, iptrackd_network_rule &rule) {
  rule.family = address.family == Address::Family::ipv4 ? AF_INET : AF_INET6;
  for (std::size_t i = 0; i < address.bytes.size(); ++i) {
    const auto of_this_byte = std::min<std::uint64_t>(bits, 8);
    bits -= of_this_byte;
    rule.remote_mask[i] = static_cast<std::uint8_t>(0xff00U >> of_this_byte);
    rule.remote[i] = address.bytes[i] & rule.remote_mask[i];
  }
}

MaybeMistake read_remote(const RulePiece &piece, iptrackd_network_rule &rule) {
  const auto slash = piece.text.find('/');
  const auto name = piece.text.substr(0, slash);
  if (const auto zone = name.find('%'); zone != std::string_view::npos)
    return RuleMistake{piece.at + zone, "the address has a zone; write it without the % and what follows"};
  const auto address = Address::parse(name);
  if (!address)
    return RuleMistake{piece.at,
                       shown(name) + " is no address; write a numeric one, like 127.0.0.1 or 2001:db8::/32"};
  const bool ipv6 = name.find(':') != std::string_view::npos;
  // IPv4 mapped into IPv6: its first 96 bits say only that.
  const std::uint64_t before = ipv6 && address->family == Address::Family::ipv4 ? 96 : 0;
  std::uint64_t bits = ipv6 ? 128 : 32;
  if (slash != std::string_view::npos) {
    const auto number = read_number(tail(piece, slash + 1), {"prefix of this address", before, bits});
    if (!number) return number.error();
    bits = *number;
  }
  put_network(*address, bits - before, rule);
  return std::nullopt;
}

MaybeMistake read_kinds(RulePiece piece, std::uint8_t &kinds) {
  constexpr std::array known{Kind::connect, Kind::accept, Kind::bind, Kind::close};
  for (;;) {
    const auto comma = std::min(piece.text.find(','), piece.text.size());
    const auto word = piece.text.substr(0, comma);
    const auto *kind = std::find_if(known.begin(), known.end(), [&](Kind k) { return kind_name(k) == word; });
    if (kind == known.end())
      return RuleMistake{piece.at, shown(word) + " is no kind; write connect, accept, bind or close"};
    const auto bit = static_cast<std::uint8_t>(1U << static_cast<unsigned>(*kind));
    if ((kinds & bit) != 0) return RuleMistake{piece.at, shown(word) + " stands here twice; remove one"};
    kinds |= bit;
    if (comma == piece.text.size()) return std::nullopt;
    piece = tail(piece, comma + 1);
  }
}

// What stands between the brackets of FIELD, or behind its name where it has none.
tl::expected<RulePiece, RuleMistake> value_of(const RulePiece &field, std::size_t name_size) {
  const auto value = tail(field, name_size);
  if (!value.text.starts_with('<')) return value;
  const auto end = value.text.find('>');
  if (end == std::string_view::npos)
    return refuse(value.at + value.text.size(), shown(field.text) + " has no end; write > behind its value");
  if (end + 1 != value.text.size())
    return refuse(value.at + end + 1,
                  shown(value.text.substr(end + 1)) + " follows the >; write | between two fields");
  return RulePiece{value.at + 1, value.text.substr(1, end - 1)};
}

struct NetworkField {
  std::string_view name;
  std::uint8_t asks;
  MaybeMistake (*read)(const RulePiece &value, iptrackd_network_rule &rule);
};
constexpr std::array<NetworkField, 6> network_fields{
    {{"i", IPTRACKD_RULE_REMOTE, read_remote},
     {"p", IPTRACKD_RULE_SERVICE_PORT,
      [](const RulePiece &value, iptrackd_network_rule &rule) {
        return read_ports(value, rule.service_port_low, rule.service_port_high);
      }},
     {"rp", IPTRACKD_RULE_REMOTE_PORT,
      [](const RulePiece &value, iptrackd_network_rule &rule) {
        return read_ports(value, rule.remote_port_low, rule.remote_port_high);
      }},
     {"lp", IPTRACKD_RULE_LOCAL_PORT,
      [](const RulePiece &value, iptrackd_network_rule &rule) {
        return read_ports(value, rule.local_port_low, rule.local_port_high);
      }},
     {"u", IPTRACKD_RULE_UID,
      [](const RulePiece &value, iptrackd_network_rule &rule) { return read_user(value, rule.uid); }},
     {"k", IPTRACKD_RULE_KINDS,
      [](const RulePiece &value, iptrackd_network_rule &rule) { return read_kinds(value, rule.kinds); }}}};

MaybeMistake read_field(const RulePiece &field, iptrackd_network_rule &rule) {
  constexpr std::string_view advised =
      "write i<ADDRESS>, p<PORT>, rp<PORT>, lp<PORT>, u<UID> or k<KIND,KIND>";
  if (field.text.empty())
    return RuleMistake{field.at, "the field is empty; " + std::string{advised} + ", or remove the |"};
  const auto *known = std::find_if(network_fields.begin(), network_fields.end(),
                                   [&](const NetworkField &f) { return field.text.starts_with(f.name); });
  if (known == network_fields.end())
    return RuleMistake{field.at, shown(field.text) + " is no field; " + std::string{advised}};
  if ((rule.asks & known->asks) != 0)
    return RuleMistake{field.at, "the field " + shown(known->name) + " stands here twice; write it once"};
  rule.asks |= known->asks;
  const auto value = value_of(field, known->name.size());
  return value ? known->read(*value, rule) : value.error();
}

MaybeMistake read_fields(RulePiece rest, iptrackd_network_rule &rule) {
  for (;;) {
    const auto end = std::min(rest.text.find('|'), rest.text.size());
    if (auto wrong = read_field({rest.at, rest.text.substr(0, end)}, rule)) return wrong;
    if (end == rest.text.size()) return std::nullopt;
    rest = tail(rest, end + 1);
  }
}

MaybeMistake read_arguments(const RulePiece &rest, iptrackd_exec_rule &rule) {
  std::size_t size = 0;
  for (std::size_t end = 0;;) {
    const auto begin = rest.text.find_first_not_of(' ', end);
    if (begin == std::string_view::npos) break;
    end = std::min(rest.text.find(' ', begin), rest.text.size());
    if (size + (end - begin) + 1 > IPTRACKD_RULE_ARGUMENTS_SIZE)
      return RuleMistake{rest.at + begin, "the arguments are too long; write at most " +
                                              std::to_string(IPTRACKD_RULE_ARGUMENTS_SIZE) +
                                              " bytes, one of them for the end of each"};
    std::copy_n(rest.text.data() + begin, end - begin, &rule.arguments[size]);
    size += end - begin + 1;
  }
  if (size == 0) return RuleMistake{rest.at, "the arguments are missing; write them, or remove the |"};
  rule.arguments_size = static_cast<std::uint16_t>(size);
  rule.asks |= IPTRACKD_RULE_ARGUMENTS;
  return std::nullopt;
}

MaybeMistake read_exec_fields(RulePiece rest, iptrackd_exec_rule &rule) {
  if (!rest.text.starts_with("u<")) return read_arguments(rest, rule);
  const auto end = std::min(rest.text.find('|'), rest.text.size());
  const auto value = value_of({rest.at, rest.text.substr(0, end)}, 1);
  if (!value) return value.error();
  if (auto wrong = read_user(*value, rule.uid)) return wrong;
  rule.asks |= IPTRACKD_RULE_UID;
  return end == rest.text.size() ? std::nullopt : read_arguments(tail(rest, end + 1), rule);
}

}  // namespace

tl::expected<WhitelistRule, RuleMistake> WhitelistRule::parse(RuleList list, std::string_view text) {
  if (text.empty())
    return refuse(0, "the rule is empty; write a program's absolute path, or * for any program");
  if (const auto *control = std::find_if(text.begin(), text.end(), is_control); control != text.end())
    return refuse(static_cast<std::size_t>(control - text.begin()),
                  shown({control, 1}) + " is a control character; write a rule without");
  const auto bar = std::min(text.find('|'), text.size());
  auto program = read_program(text.substr(0, bar));
  if (!program) return tl::unexpected<RuleMistake>{std::move(program.error())};
  WhitelistRule rule{list, std::move(*program), {}, {}};
  if (bar == text.size()) return rule;
  const RulePiece rest{bar + 1, text.substr(bar + 1)};
  auto wrong =
      list == RuleList::network ? read_fields(rest, rule.network) : read_exec_fields(rest, rule.exec);
  if (wrong) return tl::unexpected<RuleMistake>{std::move(*wrong)};
  return rule;
}

}  // namespace iptrackd
