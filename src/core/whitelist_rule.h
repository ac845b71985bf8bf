// WhitelistRule: one rule of the whitelist as people write it, and as it stands in the kernel.
//
//   network   PROGRAM [ "|" FIELD ]...                   exec   PROGRAM [ "|u<" UID ">" ] [ "|" PREFIX ]
//
//   PROGRAM   an absolute path, or * for any program
//   FIELD     i<ADDRESS> i<ADDRESS/BITS>  remote address     p<PORT> p<LOW-HIGH>  service port
//             rp<..> remote port          lp<..> local port  u<UID>  real user
//             k<KIND,KIND>  of connect, accept, bind, close
//   PREFIX    the first arguments behind argv[0], with spaces in between; a space in front of one that begins
//             with "u<" keeps it from being the user
//
// Fields come in any order, each at most once; their brackets may be left out. An event is dropped when it
// meets all that a rule asks for; what that means is decided by the functions in iptrackd/whitelist.h.
//
// A path is kept as it is written, but for repeated slashes. A program's file need not exist.
// Plain values and pure functions: nothing here is shared between threads.
#ifndef IPTRACKD_CORE_WHITELIST_RULE_H
#define IPTRACKD_CORE_WHITELIST_RULE_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "iptrackd/whitelist.h"

namespace iptrackd {

enum class RuleList : std::uint8_t { network, exec };
[[nodiscard]] std::string_view rule_list_name(RuleList list) noexcept;

struct RuleMistake {
  std::size_t at;       // bytes of the rule's text before the mistake; at most all of them
  std::string message;  // "what is wrong; what would be right", printable ASCII, a few hundred bytes at most
};

struct WhitelistRule {
  RuleList list = RuleList::network;
  std::string program;  // absolute path, or "*"
  // The one of `list` counts, the other is all zero. hits is 0, and so is what is not asked for.
  iptrackd_network_rule network{};
  iptrackd_exec_rule exec{};

  // Two rules have the same text if and only if they are equal, and parse() of it gives this rule.
  // IPTRACKD_RULE_NOT_ROOT is no part of the language.
  [[nodiscard]] std::string text() const;

  // Of all mistakes the one that is met first, a control character before any other.
  [[nodiscard]] static tl::expected<WhitelistRule, RuleMistake> parse(RuleList list, std::string_view text);
};

// The text of a rule that was found in the kernel, whoever entered it; hits and IPTRACKD_RULE_NOT_ROOT are
// left out. parse() of it gives a rule that matches the same events, or refuses it where the language has no
// words for what stands there: such arguments are written as they are behind a NUL, and a NUL stands before
// a PROGRAM that holds a |. It can hold any byte: it must be escaped before it is shown.
[[nodiscard]] std::string rule_text(std::string_view program, const iptrackd_network_rule &rule);
[[nodiscard]] std::string rule_text(std::string_view program, const iptrackd_exec_rule &rule);

struct RulePiece {
  std::size_t at;  // bytes before it
  std::string_view text;
};

// Splits one string of several rules at its commas, for a network rule not at those between < and > of a
// field. Blanks around a rule are no part of it; between two commas stands an empty one. A blank TEXT holds
// no rule. The pieces point into TEXT.
[[nodiscard]] std::vector<RulePiece> split_rules(RuleList list, std::string_view text);

}  // namespace iptrackd

#endif
