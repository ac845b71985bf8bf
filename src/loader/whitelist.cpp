#include "loader/whitelist.h"

#include <algorithm>
#include <set>
#include <utility>

namespace iptrackd::loader {
namespace {

constexpr std::size_t files_a_look = 512;

bool is_same(const iptrackd_program &a, const iptrackd_program &b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

std::set<std::string> ids_of(const std::vector<WhitelistEntry> &entries) {
  std::set<std::string> ids;
  for (const auto &entry : entries) ids.insert(entry.id());
  return ids;
}

// What tells a rule from others, however it came and whomever it spares.
std::string name_of(const WhitelistRule &rule) {
  return std::string{rule_list_name(rule.list)} + ' ' + rule.text();
}

WhitelistChange difference_of(const std::vector<WhitelistEntry> &before,
                              const std::vector<WhitelistEntry> &after) {
  WhitelistChange change{{}, before.size(), after.size()};
  const auto tell = [&](const auto &those, const auto &not_these, bool added) {
    const auto ids = ids_of(not_these);
    for (const auto &entry : those) {
      if (!ids.contains(entry.id())) change.rules.push_back({added, entry.rule.list, entry.rule.text()});
    }
  };
  tell(before, after, false);
  tell(after, before, true);
  return change;
}

// Their names, if each stands there once.
Result<std::set<std::string>> names_of(const std::vector<WhitelistRule> &rules) {
  std::set<std::string> names;
  for (const auto &rule : rules) {
    if (names.insert(name_of(rule)).second) continue;
    return fail(Fault::usage, "the rule " + rule.text() + " stands there twice; write it once");
  }
  return names;
}

}  // namespace

Whitelist::Whitelist(WhitelistMaps maps, FileFinder finder)
    : maps_{std::move(maps)}, finder_{std::move(finder)} {}

Result<std::unique_ptr<Whitelist>> Whitelist::open(WhitelistMaps maps) {
  auto finder = FileFinder::make();
  if (!finder) return tl::unexpected{finder.error()};
  std::unique_ptr<Whitelist> whitelist{new Whitelist{std::move(maps), std::move(*finder)}};
  const std::lock_guard lock{whitelist->mutex_};
  if (auto taken = whitelist->take_in_maps(); !taken) return tl::unexpected{taken.error()};
  // Nobody entered them by hand: another daemon did, or whoever did has been told of.
  for (auto &entry : whitelist->entries_) entry.by_map = false;
  whitelist->noticed_.rules.clear();
  if (auto published = whitelist->maps_.publish(); !published) return tl::unexpected{published.error()};
  return whitelist;
}

// None: there is no such program. Environment: that cannot be known.
Result<std::optional<iptrackd_program>> Whitelist::find(const std::string &path) const {
  const auto file = finder_.open(path);
  if (!file) return tl::unexpected{file.error().in_context(path)};
  if (!*file) return std::nullopt;
  const auto program = maps_.identify(file->get());
  if (!program) return tl::unexpected{program.error().in_context(path)};
  return *program;
}

// As they would be with ENTRIES in force.
WhitelistFiles Whitelist::find_files(const Entries &entries) {
  WhitelistFiles files;
  for (const auto &entry : entries) {
    const std::string &path = entry.rule.program;
    if (entry.file || path == "*" || files.contains(path)) continue;
    auto &found = files[path];
    if (const auto known = files_.find(path); known != files_.end()) found = known->second;
    refresh_file(path, found);
  }
  return files;
}

// FILES: what PATH was, the newest first. Says whether that has changed.
bool Whitelist::refresh_file(const std::string &path, std::vector<iptrackd_program> &files) {
  const auto found = find(path);
  if (!found || !*found) {
    std::string why = found ? std::string{} : found.error().message();
    if (!why.empty() && missing_[path] != why) noticed_.unreadable.push_back(why);
    missing_[path] = std::move(why);
    return false;
  }
  missing_.erase(path);
  const iptrackd_program &now = **found;
  if (!files.empty() && is_same(files.front(), now)) return false;
  std::erase_if(files, [&](const iptrackd_program &file) { return is_same(file, now); });
  files.insert(files.begin(), now);
  return true;
}

bool Whitelist::refresh_some_files() {
  bool changed = false;
  auto at = files_.lower_bound(next_file_);
  for (std::size_t done = 0; done < std::min(files_a_look, files_.size()); ++done) {
    if (at == files_.end()) at = files_.begin();
    changed = refresh_file(at->first, at->second) || changed;
    ++at;
  }
  next_file_ = at == files_.end() ? std::string{} : at->first;
  return changed;
}

// Older files, and those whose path leads nowhere, go when no process runs them any more.
bool Whitelist::retire_files() {
  ProgramFiles doubtful;
  for (const auto &[path, files] : files_) {
    if (files.size() > 1) doubtful.insert(files.begin() + 1, files.end());
    const auto missing = missing_.find(path);
    const bool is_gone = missing != missing_.end() && missing->second.empty();
    if (files.size() == 1 && is_gone) doubtful.insert(files.front());
  }
  if (doubtful.empty()) return false;
  const ProgramFiles running = maps_.running(doubtful);
  bool changed = false;
  for (auto &[path, files] : files_) {
    changed = std::erase_if(files,
                            [&](const iptrackd_program &file) {
                              return doubtful.contains(file) && !running.contains(file);
                            }) != 0 ||
              changed;
  }
  return changed;
}

void Whitelist::count_hits(const WhitelistContent &content, const WhitelistLayout &layout,
                           std::map<std::string, std::uint64_t> &hits) const {
  const auto count = [&](const auto &rules, const WhitelistLayout::Owners &owners) {
    for (const auto &[key, rule] : rules) {
      if (const auto owner = owners.find(key); owner != owners.end()) hits[owner->second] += rule.hits;
    }
  };
  count(content.network, layout.network);
  count(content.exec, layout.exec);
}

Result<void> Whitelist::put_in_force(Entries entries, WhitelistFiles files) {
  auto layout = lay_out(entries, files, in_force_);
  const auto spare = maps_.spare();
  if (!spare) return tl::unexpected{spare.error()};
  // The last of their hits, before they are gone; not again, should the exchange fail.
  count_hits(*spare, std::exchange(spare_, {}), settled_hits_);
  if (auto exchanged = maps_.exchange(*spare, layout.content); !exchanged) return exchanged;
  entries_ = std::move(entries);
  files_ = std::move(files);
  spare_ = std::exchange(in_force_, std::move(layout));
  is_stale_ = false;
  // The rules are in force whatever bpftool is shown: look() tries again.
  is_published_ = maps_.publish().has_value();
  const auto ids = ids_of(entries_);
  std::erase_if(settled_hits_, [&](const auto &settled) { return !ids.contains(settled.first); });
  std::erase_if(missing_, [&](const auto &missing) { return !files_.contains(missing.first); });
  return {};
}

// What others have written into the side in force becomes ours; look() tells of it. It is not asked whether
// it fits: it is in force.
Result<void> Whitelist::take_in(WhitelistDifference difference) {
  Entries entries = entries_;
  const std::set<std::string> removed{difference.removed.begin(), difference.removed.end()};
  std::erase_if(entries, [&](const WhitelistEntry &entry) { return removed.contains(entry.id()); });
  auto ids = ids_of(entries);
  std::map<std::string, std::uint64_t> hits;
  for (auto &added : difference.added) {
    // A path that leads to this very file is as good as one of ours.
    const auto now = added.rule.program.starts_with('/') ? find(added.rule.program) : std::nullopt;
    if (added.rule.program == "*" || (now && *now && is_same(**now, *added.file))) added.file.reset();
    hits[added.id()] += std::exchange(added.rule.network.hits, 0) + std::exchange(added.rule.exec.hits, 0);
    if (ids.insert(added.id()).second) entries.push_back(std::move(added));
  }
  auto files = find_files(entries);
  const WhitelistChange change = difference_of(entries_, entries);
  if (auto done = put_in_force(std::move(entries), std::move(files)); !done) return done;
  for (const auto &[id, count] : hits) settled_hits_[id] += count;
  if (noticed_.rules.empty()) noticed_.before = change.before;
  noticed_.after = change.after;
  noticed_.rules.insert(noticed_.rules.end(), change.rules.begin(), change.rules.end());
  return {};
}

Result<void> Whitelist::take_in_maps() {
  const auto found = maps_.in_force();
  if (!found) return tl::unexpected{found.error()};
  auto difference = compare(*found, in_force_);
  if (difference.empty()) return {};
  return take_in(std::move(difference));
}

// Of a program that does not exist nothing is laid out yet; its rules are counted by its path.
Result<void> Whitelist::check_room(const Entries &entries, const WhitelistFiles &files) const {
  std::map<std::pair<RuleList, std::string>, std::size_t> counts;
  const auto old = ids_of(entries_);
  const auto without_room = lay_out(entries, files, in_force_).without_room;
  for (const auto &entry : entries) {
    const auto count = ++counts[{entry.rule.list, entry.rule.program}];
    const std::string id = entry.id();
    if (old.contains(id) || (count <= IPTRACKD_PROGRAM_RULES_MAX && !without_room.contains(id))) continue;
    return fail(Fault::usage, "the file of " + entry.rule.program + " would have more than " +
                                  std::to_string(IPTRACKD_PROGRAM_RULES_MAX) +
                                  " rules in one list, under this path or another; take one out first");
  }
  return {};
}

Result<WhitelistChange> Whitelist::change_to(Entries entries) {
  auto files = find_files(entries);
  if (auto fits = check_room(entries, files); !fits) return tl::unexpected{fits.error()};
  WhitelistChange change = difference_of(entries_, entries);
  auto done = put_in_force(std::move(entries), std::move(files));
  if (!done) return tl::unexpected{done.error()};
  return change;
}

Result<WhitelistChange> Whitelist::replace(const Rules &network, const Rules &exec) {
  const std::lock_guard lock{mutex_};
  if (auto taken = take_in_maps(); !taken) return tl::unexpected{taken.error()};
  Entries entries;
  for (const auto &entry : entries_) {
    if (!(entry.rule.list == RuleList::network ? network : exec)) entries.push_back(entry);
  }
  for (const auto &rules : {network, exec}) {
    if (!rules) continue;
    if (const auto names = names_of(*rules); !names) return tl::unexpected{names.error()};
    for (const auto &rule : *rules) entries.push_back({rule});
  }
  if (difference_of(entries_, entries).rules.empty()) {
    return WhitelistChange{{}, entries_.size(), entries_.size()};
  }
  return change_to(std::move(entries));
}

Result<WhitelistChange> Whitelist::add(const std::vector<WhitelistRule> &rules) {
  const std::lock_guard lock{mutex_};
  if (auto taken = take_in_maps(); !taken) return tl::unexpected{taken.error()};
  const auto names = names_of(rules);
  if (!names) return tl::unexpected{names.error()};
  Entries entries = entries_;
  for (const auto &entry : entries_) {
    if (names->contains(name_of(entry.rule)))
      return fail(Fault::usage, "the rule " + entry.rule.text() + " is in force already");
  }
  for (const auto &rule : rules) entries.push_back({rule});
  return change_to(std::move(entries));
}

Result<WhitelistChange> Whitelist::remove(const std::vector<WhitelistRule> &rules) {
  const std::lock_guard lock{mutex_};
  if (auto taken = take_in_maps(); !taken) return tl::unexpected{taken.error()};
  const auto names = names_of(rules);
  if (!names) return tl::unexpected{names.error()};
  Entries entries;
  std::set<std::string> found;
  for (const auto &entry : entries_) {
    const std::string name = name_of(entry.rule);
    if (!names->contains(name)) {
      entries.push_back(entry);
    } else {
      found.insert(name);
    }
  }
  for (const auto &rule : rules) {
    if (found.contains(name_of(rule))) continue;
    return fail(Fault::usage,
                "there is no rule " + rule.text() + "; `iptrackd whitelist list` shows those in force");
  }
  return change_to(std::move(entries));
}

Result<WhitelistChange> Whitelist::look() {
  const std::lock_guard lock{mutex_};
  if (auto taken = take_in_maps(); !taken) return tl::unexpected{taken.error()};
  const bool found = refresh_some_files();
  const bool retired = retire_files();
  is_stale_ = is_stale_ || found || retired;
  if (is_stale_) {
    if (auto done = put_in_force(entries_, files_); !done) return tl::unexpected{done.error()};
  }
  if (!is_published_) {
    if (auto done = maps_.publish(); !done) return tl::unexpected{done.error()};
    is_published_ = true;
  }
  return std::exchange(noticed_, {});
}

Result<std::vector<ListedRule>> Whitelist::list() {
  const std::lock_guard lock{mutex_};
  if (auto taken = take_in_maps(); !taken) return tl::unexpected{taken.error()};
  const auto found = maps_.in_force();
  if (!found) return tl::unexpected{found.error()};
  const auto spare = maps_.spare();
  if (!spare) return tl::unexpected{spare.error()};
  auto hits = settled_hits_;
  count_hits(*found, in_force_, hits);
  count_hits(*spare, spare_, hits);
  std::vector<ListedRule> rules;
  for (const auto &entry : entries_) {
    const auto files = files_.find(entry.rule.program);
    ListedRule rule{
        entry.rule.list,
        entry.rule.text(),
        hits[entry.id()],
        entry.rule.program,
        {},
        {},
        entry.by_map,
        entry.rule.list == RuleList::exec && (entry.rule.exec.asks & IPTRACKD_RULE_NOT_ROOT) == 0};
    if (files != files_.end()) rule.files = files->second;
    if (const auto missing = missing_.find(rule.path); missing != missing_.end())
      rule.unreadable = missing->second;
    if (entry.file) rule.files = {*entry.file};
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace iptrackd::loader
