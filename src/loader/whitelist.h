// Whitelist: the rules in force, whoever entered them; what changes them goes through here, or is noticed
// here. All of it takes effect in the kernel at once and for all CPUs, or not at all.
//
//   configuration, SIGHUP, `iptrackd whitelist` ──> Whitelist ──> WhitelistMaps <── bpftool
//                                                       └── look(): files replaced, rules entered by hand
//
// Thread-safe.
#ifndef IPTRACKD_LOADER_WHITELIST_H
#define IPTRACKD_LOADER_WHITELIST_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/event.h"
#include "core/result.h"
#include "core/whitelist_rule.h"
#include "loader/file_finder.h"
#include "loader/whitelist_layout.h"
#include "loader/whitelist_maps.h"

namespace iptrackd::loader {

// What a change did to the rules.
struct WhitelistChange {
  struct Rule {
    bool added;  // else taken out
    RuleList list;
    std::string text;
  };
  std::vector<Rule> rules;
  std::size_t before = 0;  // rules in force
  std::size_t after = 0;
  std::vector<std::string> unreadable{};  // by look() only: "PATH: why its file cannot be looked at"
};

struct ListedRule {
  RuleList list;
  std::string text;
  std::uint64_t hits;  // events that it has dropped
  std::string path;    // "*": any program
  std::vector<iptrackd_program> files;
  std::string unreadable;  // why it cannot be known whether the program exists; empty: it is known
  bool by_map;             // entered by bpftool
  bool drops_root;         // exec rules only
};

// What `iptrackd whitelist test` asks: would this be dropped?
struct Deed {
  std::string exe;  // absolute path
  Kind kind = Kind::connect;
  std::optional<Address> remote;
  std::uint16_t service_port = 0;  // 0: none, or not known; likewise the next two
  std::uint16_t remote_port = 0;
  std::uint16_t local_port = 0;
  std::uint32_t uid = 0;
  std::uint32_t euid = 0;
  std::vector<std::string> arguments;  // behind argv[0]
};

struct Verdict {
  struct Considered {
    std::string rule;
    int unmet;  // IPTRACKD_RULE_*: the first demand that the deed does not meet; 0: it drops the deed
  };
  bool dropped = false;
  std::vector<Considered> rules;  // in the order in which they are tried, up to the one that matches
};

class Whitelist {
 public:
  // Goes on with what stands in MAPS.
  [[nodiscard]] static Result<std::unique_ptr<Whitelist>> open(WhitelistMaps maps);

  // Why paths are not looked up as the host's first process sees them; empty: they are.
  [[nodiscard]] const std::string &own_root() const noexcept { return finder_.own_root(); }

  // The rules of one list, or of both, in the place of those that were; nullopt: the list stays as it is.
  // Usage: a rule stands there twice, or a program has too many; then nothing is changed.
  using Rules = std::optional<std::vector<WhitelistRule>>;
  [[nodiscard]] Result<WhitelistChange> replace(const Rules &network, const Rules &exec);
  // Usage: a rule is there already, or is not there, or stands in the request twice; then nothing is changed.
  [[nodiscard]] Result<WhitelistChange> add(const std::vector<WhitelistRule> &rules);
  [[nodiscard]] Result<WhitelistChange> remove(const std::vector<WhitelistRule> &rules);

  // To be called about once a second: takes in what others wrote into the maps, and finds the files of rules
  // again, some hundred at a time. Of a file that was replaced the older one keeps its rules as long as a
  // process runs it. Tells what others have changed, and once of each program that cannot be looked at.
  [[nodiscard]] Result<WhitelistChange> look();

  [[nodiscard]] Result<std::vector<ListedRule>> list();
  // The commands for bpftool that would enter RULES. Usage: a rule's program does not exist; environment:
  // nothing is pinned, or the program cannot be looked at.
  [[nodiscard]] Result<std::vector<std::string>> encode(const std::vector<WhitelistRule> &rules);
  // The verdict of the code that the hooks run, held against the same judgement made here. Environment: the
  // program cannot be looked at.
  [[nodiscard]] Result<Verdict> test(const Deed &deed);

 private:
  using Entries = std::vector<WhitelistEntry>;
  Whitelist(WhitelistMaps maps, FileFinder finder);

  [[nodiscard]] Result<std::optional<iptrackd_program>> find(const std::string &path) const;
  [[nodiscard]] WhitelistFiles find_files(const Entries &entries);
  bool refresh_file(const std::string &path, std::vector<iptrackd_program> &files);
  bool refresh_some_files();
  bool retire_files();
  [[nodiscard]] Result<void> put_in_force(Entries entries, WhitelistFiles files);
  [[nodiscard]] Result<void> take_in(WhitelistDifference difference);
  [[nodiscard]] Result<void> take_in_maps();
  [[nodiscard]] Result<void> check_room(const Entries &entries, const WhitelistFiles &files) const;
  [[nodiscard]] Result<WhitelistChange> change_to(Entries entries);
  void count_hits(const WhitelistContent &content, const WhitelistLayout &layout,
                  std::map<std::string, std::uint64_t> &hits) const;
  [[nodiscard]] Result<Verdict> judge(const Deed &deed, const iptrackd_program &program);

  std::mutex mutex_;
  WhitelistMaps maps_;
  FileFinder finder_;
  Entries entries_;
  WhitelistFiles files_;
  std::map<std::string, std::string> missing_;  // paths that led nowhere when last followed, or why not
  bool is_stale_ = false;                       // files_ is newer than what is in force
  bool is_published_ = true;                    // the public names name the side in force
  std::string next_file_;                       // where the next look goes on
  WhitelistLayout in_force_;                    // as it was written last
  WhitelistLayout spare_;                       // the side before; its last hits are still there
  WhitelistChange noticed_;                     // by others, since the last look
  std::map<std::string, std::uint64_t> settled_hits_;  // of sides that were written anew since, by id
};

}  // namespace iptrackd::loader

#endif
