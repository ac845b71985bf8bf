// The lists of rules: whitelist and redact. Their texts are only split here; other rooms know what they mean.
#include <algorithm>

#include "config/fill.h"
#include "config/values.h"

namespace iptrackd::config {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// Splits at commas; those between < and > belong to a field such as k<connect,close> where BRACKETS says so.
std::vector<std::string_view> split(std::string_view text, bool brackets) {
  std::vector<std::string_view> pieces;
  if (trimmed(text).empty()) return pieces;
  std::size_t begin = 0;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (brackets && (text[i] == '<' || text[i] == '>')) inside = text[i] == '<';
    if (text[i] != ',' || inside) continue;
    pieces.push_back(trimmed(text.substr(begin, i - begin)));
    begin = i + 1;
  }
  pieces.push_back(trimmed(text.substr(begin)));
  return pieces;
}

void add_rule(Section &section, const std::string &name, std::string_view text, const Position &at,
              std::vector<Rule> &rules) {
  if (text.empty())
    return section.complain(at, name + " holds an empty rule; remove it or the comma beside it");
  if (text.front() != '/' && text.front() != '*')
    return section.complain(at, name + " holds the rule " + in_quotes(text) +
                                    "; begin it with an absolute path, or * for any program");
  rules.push_back({std::string{text}, at});
}

void fill_rules(Section &section, std::string_view key, bool brackets, std::vector<Rule> &rules) {
  const TreeNode *value = section.take(key);
  if (value == nullptr) return;
  const auto name = section.name(key);
  if (value->type == TreeNode::Type::mapping)
    return section.complain(value->at,
                            name + " is a mapping; write a list of rules, or rules with commas in between");
  if (value->type == TreeNode::Type::scalar) {
    for (const auto rule : split(value->scalar, brackets)) add_rule(section, name, rule, value->at, rules);
    return;
  }
  for (const auto &item : value->children) {
    if (item.type == TreeNode::Type::scalar) {
      add_rule(section, name, trimmed(item.scalar), item.at, rules);
    } else {
      section.complain(item.at, name + " holds something that is no text; write one rule an item");
    }
  }
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
    for (const auto program : split(value->scalar, false)) add(program, value->at);
    if (trimmed(value->scalar).empty()) add("", value->at);
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
  fill_rules(section, "network", true, whitelist.network);
  fill_rules(section, "exec", false, whitelist.exec);
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
