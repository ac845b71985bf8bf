#include "loader/whitelist_layout.h"

#include <bit>
#include <cstring>
#include <utility>

namespace iptrackd::loader {
namespace {

// Where the rules of one list stand.
class ListLayout {
 public:
  ListLayout(WhitelistLayout::Owners &owners, const WhitelistLayout::Owners &before) : owners_{owners} {
    for (const auto &[key, id] : before) before_[id].push_back(key);
  }

  // The place of a rule that had one; then it is taken.
  bool keep(const iptrackd_program &program, const std::string &id) {
    const auto known = before_.find(id);
    if (known == before_.end()) return false;
    for (const auto &key : known->second) {
      if (std::memcmp(&key.program, &program, sizeof(program)) == 0) return take(key, id);
    }
    return false;
  }

  // The lowest free number; false: there is none.
  bool add(const iptrackd_program &program, const std::string &id) {
    const auto number = static_cast<std::uint32_t>(std::countr_one(used_[program]));
    if (number >= IPTRACKD_PROGRAM_RULES_MAX) return false;
    return take({program, number, 0}, id);
  }

 private:
  bool take(const iptrackd_rule_key &key, const std::string &id) {
    used_[key.program] |= std::uint64_t{1} << key.number;
    owners_.insert_or_assign(key, id);
    return true;
  }

  WhitelistLayout::Owners &owners_;
  std::map<std::string, std::vector<iptrackd_rule_key>> before_;
  std::map<iptrackd_program, std::uint64_t, BytewiseLess> used_;
};

std::vector<iptrackd_program> files_of(const WhitelistEntry &entry, const WhitelistFiles &files) {
  if (entry.file) return {*entry.file};
  if (entry.rule.program == "*") return {any_program};
  const auto found = files.find(entry.rule.program);
  return found == files.end() ? std::vector<iptrackd_program>{} : found->second;
}

void name_program(iptrackd_program_rules &rules, const std::string &path) {
  if (rules.path[0] == '\0' && path.size() < sizeof(rules.path)) path.copy(rules.path, path.size());
}

void fill_content(WhitelistLayout &layout, const std::map<std::string, const WhitelistEntry *> &entries) {
  const auto fill = [&](const WhitelistLayout::Owners &owners, auto member, auto &&store) {
    for (const auto &[key, id] : owners) {
      const WhitelistEntry &entry = *entries.at(id);
      auto &rules = layout.content.programs[key.program];
      rules.*member |= std::uint64_t{1} << key.number;
      name_program(rules, entry.rule.program);
      store(key, entry.rule);
    }
  };
  fill(layout.network, &iptrackd_program_rules::network,
       [&](const auto &key, const WhitelistRule &rule) { layout.content.network[key] = rule.network; });
  fill(layout.exec, &iptrackd_program_rules::exec,
       [&](const auto &key, const WhitelistRule &rule) { layout.content.exec[key] = rule.exec; });
}

template <typename Rule>
bool is_equal(Rule a, Rule b) {
  a.hits = b.hits = 0;
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

WhitelistRule rule_of(std::string program, const iptrackd_network_rule &found) {
  return {RuleList::network, std::move(program), found, {}};
}

WhitelistRule rule_of(std::string program, const iptrackd_exec_rule &found) {
  return {RuleList::exec, std::move(program), {}, found};
}

// Those of RULES that the hooks reach: their bit is set.
template <typename Rules>
void compare_list(const WhitelistContent &found, const Rules &rules, __u64 iptrackd_program_rules::*member,
                  const WhitelistLayout::Owners &owners, const Rules &expected,
                  WhitelistDifference &difference) {
  const auto is_reached = [&](const iptrackd_rule_key &key) {
    const auto program = found.programs.find(key.program);
    return program != found.programs.end() && key.number < IPTRACKD_PROGRAM_RULES_MAX && key.reserved == 0 &&
           (program->second.*member >> key.number & 1U) != 0 && rules.contains(key);
  };
  for (const auto &[key, id] : owners) {
    if (!is_reached(key) || !is_equal(rules.at(key), expected.at(key))) difference.removed.push_back(id);
  }
  for (const auto &[key, rule] : rules) {
    if (!is_reached(key) || (owners.contains(key) && is_equal(rule, expected.at(key)))) continue;
    const bool is_any = std::memcmp(&key.program, &any_program, sizeof(any_program)) == 0;
    const auto &path = found.programs.at(key.program).path;
    const std::string program = is_any ? "*" : std::string{path, strnlen(path, sizeof(path))};
    difference.added.push_back({rule_of(program, rule), true, key.program});
  }
}

}  // namespace

std::string WhitelistEntry::id() const {
  std::string id{rule_list_name(rule.list)};
  id += ' ' + rule.text();
  if (rule.list == RuleList::exec && (rule.exec.asks & IPTRACKD_RULE_NOT_ROOT) != 0) id += " not root";
  if (file) id.append(reinterpret_cast<const char *>(&*file), sizeof(*file));
  return id;
}

WhitelistLayout lay_out(const std::vector<WhitelistEntry> &entries, const WhitelistFiles &files,
                        const WhitelistLayout &before) {
  WhitelistLayout layout;
  ListLayout network{layout.network, before.network};
  ListLayout exec{layout.exec, before.exec};
  const auto list_of = [&](const WhitelistEntry &entry) -> ListLayout & {
    return entry.rule.list == RuleList::network ? network : exec;
  };
  std::map<std::string, const WhitelistEntry *> by_id;
  std::vector<std::pair<const WhitelistEntry *, iptrackd_program>> others;
  for (const auto &entry : entries) {
    const std::string id = entry.id();
    if (!by_id.emplace(id, &entry).second) continue;
    for (const auto &file : files_of(entry, files)) {
      if (!list_of(entry).keep(file, id)) others.emplace_back(&entry, file);
    }
  }
  for (const auto &[entry, file] : others) {
    if (!list_of(*entry).add(file, entry->id())) layout.without_room.insert(entry->id());
  }
  fill_content(layout, by_id);
  return layout;
}

WhitelistDifference compare(const WhitelistContent &found, const WhitelistLayout &layout) {
  WhitelistDifference difference;
  compare_list(found, found.network, &iptrackd_program_rules::network, layout.network, layout.content.network,
               difference);
  compare_list(found, found.exec, &iptrackd_program_rules::exec, layout.exec, layout.content.exec,
               difference);
  return difference;
}

}  // namespace iptrackd::loader
