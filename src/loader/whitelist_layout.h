// The layout of the whitelist in the kernel's maps: which rule stands under which program and number. Pure
// functions.
#ifndef IPTRACKD_LOADER_WHITELIST_LAYOUT_H
#define IPTRACKD_LOADER_WHITELIST_LAYOUT_H

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/whitelist_rule.h"
#include "loader/whitelist_maps.h"

namespace iptrackd::loader {

// What the rules for any program stand under.
inline constexpr iptrackd_program any_program{};

// A rule in force.
struct WhitelistEntry {
  WhitelistRule rule;
  bool by_map = false;  // written into the maps by somebody else (bpftool)
  // Its file, where it came by the maps and its path, if it gave one, is not that file's.
  std::optional<iptrackd_program> file = {};

  // Unlike for different rules.
  [[nodiscard]] std::string id() const;
};

// The files that the paths of rules stand for, the newest first.
using WhitelistFiles = std::map<std::string, std::vector<iptrackd_program>>;

struct WhitelistLayout {
  WhitelistContent content;  // hits are zero
  using Owners = std::map<iptrackd_rule_key, std::string, BytewiseLess>;
  Owners network;  // WhitelistEntry::id() of the rule that stands there
  Owners exec;
  // Rules that found no room under one of their files, as it has as many already, perhaps under another path.
  std::set<std::string> without_room;
};

// A rule that BEFORE has keeps its number.
[[nodiscard]] WhitelistLayout lay_out(const std::vector<WhitelistEntry> &entries, const WhitelistFiles &files,
                                      const WhitelistLayout &before);

// How what the maps hold differs from LAYOUT, hits aside.
struct WhitelistDifference {
  std::vector<WhitelistEntry> added;  // with their hits
  std::vector<std::string> removed;   // ids
  [[nodiscard]] bool empty() const noexcept { return added.empty() && removed.empty(); }
};
[[nodiscard]] WhitelistDifference compare(const WhitelistContent &found, const WhitelistLayout &layout);

}  // namespace iptrackd::loader

#endif
