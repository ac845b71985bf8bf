// The lists of rules: whitelist and redact.
#include <algorithm>
#include <string>
#include <unordered_map>

#include "config/fill.h"
#include "config/values.h"
#include "core/whitelist_rule.h"

namespace iptrackd::config {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// Reads the rules of one list, and complains about the first that are wrong: a list that something else has
// written may have a million mistakes.
class RuleReader {
 public:
  RuleReader(Section &section, RuleList list, std::vector<Rule> &rules)
      : section_{section}, list_{list}, name_{section.name(rule_list_name(list))}, rules_{rules} {}

  void read(std::string_view text, const Position &at) {
    if (text.empty()) return complain(at, " holds an empty rule; remove it or the comma beside it");
    const auto rule = WhitelistRule::parse(list_, text);
    if (!rule)
      return complain(at, " holds the rule " + in_quotes(text) + ": at its character " +
                              std::to_string(rule.error().at + 1) + ": " + rule.error().message);
    const auto [earlier, is_new] = seen_.try_emplace(rule->text(), at);
    if (!is_new)
      return complain(at, " holds the rule " + in_quotes(text) + ", which stands at " +
                              earlier->second.to_string() + " already; remove one of them");
    if (++of_program_[rule->program] == IPTRACKD_PROGRAM_RULES_MAX + 1)
      return complain(at, " holds more than " + std::to_string(IPTRACKD_PROGRAM_RULES_MAX) + " rules of " +
                              in_quotes(rule->program) + "; join some of them into wider ones");
    rules_.push_back({std::string{text}, at});
  }

  // Several rules in one string, with commas in between.
  void read_all(const TreeNode &value) {
    std::size_t empty = 0;
    for (const auto &piece : split_rules(list_, value.scalar)) {
      if (piece.text.empty()) {
        ++empty;
      } else {
        read(piece.text, value.at);
      }
    }
    if (empty == 1) read({}, value.at);
    if (empty > 1)
      complain(value.at,
               " holds " + std::to_string(empty) + " empty rules; remove them or the commas beside them");
  }

  void complain(const Position &at, const std::string &what) {
    if (mistakes_++ == shown_max) first_hidden_ = at;
    if (mistakes_ <= shown_max) section_.complain(at, name_ + what);
  }

  void finish() {
    if (mistakes_ > shown_max)
      section_.complain(first_hidden_, name_ + " holds " + std::to_string(mistakes_ - shown_max) +
                                           " more that are wrong; mend those above first");
  }

 private:
  static constexpr std::size_t shown_max = 10;
  Section &section_;
  RuleList list_;
  std::string name_;
  std::vector<Rule> &rules_;
  std::unordered_map<std::string, Position> seen_;  // by what they mean
  std::unordered_map<std::string, int> of_program_;
  std::size_t mistakes_ = 0;
  Position first_hidden_;
};

void fill_rules(Section &section, RuleList list, std::vector<Rule> &rules) {
  const TreeNode *value = section.take(rule_list_name(list));
  if (value == nullptr) return;
  RuleReader reader{section, list, rules};
  if (value->type == TreeNode::Type::mapping) {
    reader.complain(value->at, " is a mapping; write a list of rules, or rules with commas in between");
  } else if (value->type == TreeNode::Type::scalar) {
    reader.read_all(*value);
  } else {
    for (const auto &item : value->children) {
      if (item.type == TreeNode::Type::scalar) {
        reader.read(trimmed(item.scalar), item.at);
      } else {
        reader.complain(item.at, " holds something that is no text; write one rule an item");
      }
    }
  }
  reader.finish();
}

std::vector<std::string_view> split_at_commas(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    pieces.push_back(trimmed(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return pieces;
}

// The programs of one redact rule: a list, or one string with commas.
std::vector<std::string> read_programs(Section &section) {
  std::vector<std::string> programs;
  const auto add = [&](std::string_view program, const Position &at) {
    const bool path = program.starts_with('/');
    if (program.empty() || (!path && program.find('/') != std::string_view::npos))
      return section.complain(at, section.name("exe") + " is " + in_quotes(program) +
                                      "; write a program's name, its absolute path, or * for any");
    programs.emplace_back(program);
  };
  const TreeNode *value = section.take("exe");
  if (value == nullptr) {
    section.complain(section.at({}),
                     section.name("exe") + " is missing; write a program's name, or \"*\" for any");
  } else if (value->type == TreeNode::Type::scalar) {
    for (const auto &program : split_at_commas(value->scalar)) add(program, value->at);
  } else {
    for (const auto &item : value->children) add(trimmed(item.scalar), item.at);
    if (value->type == TreeNode::Type::mapping || value->children.empty()) add("", value->at);
  }
  return programs;
}

void read_redact_rule(Section section, std::vector<RedactRule> &rules) {
  const auto programs = read_programs(section);
  std::string pattern;
  if (section.take("pattern") == nullptr) {
    section.complain(section.at({}),
                     section.name("pattern") + " is missing; write a regular expression (RE2)");
  } else {
    section.text("pattern", pattern);
  }
  if (pattern.empty()) return;
  for (const auto &program : programs) rules.push_back({program, pattern, section.at({"pattern"})});
}

}  // namespace

void fill_whitelist(Section section, Whitelist &whitelist) {
  section.flag("include-root", whitelist.include_root);
  fill_rules(section, RuleList::network, whitelist.network);
  fill_rules(section, RuleList::exec, whitelist.exec);
}

void fill_redact(Section &root, std::vector<RedactRule> &rules) {
  const TreeNode *value = root.take("redact");
  if (value == nullptr) return;
  if (value->type != TreeNode::Type::sequence)
    return root.complain(value->at,
                         "redact is no list; write '- {exe: NAME, pattern: REGEX}' items, or [] for none");
  rules.clear();
  for (const auto &item : value->children) {
    if (item.type == TreeNode::Type::mapping) {
      read_redact_rule({root.findings(), &item, "redact"}, rules);
    } else {
      root.complain(item.at, "redact holds an item that is no mapping; write {exe: NAME, pattern: REGEX}");
    }
  }
}

}  // namespace iptrackd::config
