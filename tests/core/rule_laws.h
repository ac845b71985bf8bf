// What holds of any rule and any text, for the unit tests with random ones and for the fuzzer. Each returns
// the law that is broken, or an empty string.
#ifndef IPTRACKD_TESTS_CORE_RULE_LAWS_H
#define IPTRACKD_TESTS_CORE_RULE_LAWS_H

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "core/whitelist_rule.h"

namespace iptrackd::test {

template <typename Struct>
bool same_bytes(const Struct &a, const Struct &b) {
  return std::memcmp(&a, &b, sizeof(Struct)) == 0;
}

inline bool same(const WhitelistRule &a, const WhitelistRule &b) {
  return a.list == b.list && a.program == b.program && same_bytes(a.network, b.network) &&
         same_bytes(a.exec, b.exec);
}

inline std::string_view broken_law_of_text(RuleList list, std::string_view text) {
  const auto rule = WhitelistRule::parse(list, text);
  if (!rule) {
    const auto &[at, message] = rule.error();
    if (at > text.size()) return "a mistake lies within the text";
    if (message.size() > 300 || message.find("; ") == std::string::npos)
      return "a mistake has both its halves";
    const bool printable =
        std::all_of(message.begin(), message.end(), [](char c) { return c >= ' ' && c <= '~'; });
    return printable ? "" : "a message is printable";
  }
  const auto canonical = rule->text();
  const auto again = WhitelistRule::parse(list, canonical);
  if (!again) return "a canonical text is read";
  if (!same(*again, *rule)) return "a canonical text gives the same rule";
  return again->text() == canonical ? "" : "a canonical text stays as it is";
}

inline std::string_view broken_law_of_pieces(RuleList list, std::string_view text) {
  std::size_t end = 0;
  bool first = true;
  for (const auto &[at, piece] : split_rules(list, text)) {
    if (at > text.size() || piece.size() > text.size() - at) return "a piece lies within the text";
    if (text.substr(at, piece.size()) != piece) return "a piece stands where it says";
    if (!first && text.substr(end, at - end).find(',') == std::string_view::npos)
      return "a comma parts two pieces";
    end = at + piece.size();
    first = false;
  }
  return "";
}

// A question as the kernel side asks it: the family decides which bytes of the address can be set.
inline void make_askable(iptrackd_network_question &question) {
  constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  question.kind = static_cast<std::uint8_t>(IPTRACKD_KIND_CONNECT + question.kind % 4);
  constexpr std::array<std::uint8_t, 3> families{AF_INET, AF_INET6, 0};
  if (std::find(families.begin(), families.end(), question.family) == families.end())
    question.family = families.at(question.family % families.size());
  if (question.family == AF_INET) std::fill_n(&question.remote[4], 12, std::uint8_t{0});
  if (question.family == 0) std::fill_n(&question.remote[0], 16, std::uint8_t{0});
  if (question.family == AF_INET6 && std::equal(mapped.begin(), mapped.end(), &question.remote[0]))
    question.remote[0] = 1;
}

inline std::string_view broken_law_of_kernel(std::string_view program, const iptrackd_network_rule &rule,
                                             const iptrackd_network_question &question) {
  const auto text = rule_text(program, rule);
  const auto read = WhitelistRule::parse(RuleList::network, text);
  if (!read) return "";
  if (rule_text(read->program, rule) != read->text()) return "a rule of the kernel keeps its text";
  const bool agree = (iptrackd_network_rule_unmet(&rule, &question) == 0) ==
                     (iptrackd_network_rule_unmet(&read->network, &question) == 0);
  return agree ? "" : "a rule of the kernel does what its text says";
}

inline std::string_view broken_law_of_kernel(std::string_view program, iptrackd_exec_rule rule,
                                             iptrackd_exec_question question) {
  const auto text = rule_text(program, rule);
  const auto read = WhitelistRule::parse(RuleList::exec, text);
  if (!read) return "";
  if (rule_text(read->program, rule) != read->text()) return "a rule of the kernel keeps its text";
  rule.asks &= static_cast<std::uint8_t>(~IPTRACKD_RULE_NOT_ROOT);
  question.arguments_size = std::min<__u32>(question.arguments_size, IPTRACKD_RULE_ARGUMENTS_SIZE);
  const bool agree = (iptrackd_exec_rule_unmet(&rule, &question) == 0) ==
                     (iptrackd_exec_rule_unmet(&read->exec, &question) == 0);
  return agree ? "" : "a rule of the kernel does what its text says";
}

}  // namespace iptrackd::test

#endif
