// WhitelistMaps: the whitelist's maps in the kernel. There are two sides of them: the hooks ask the one while
// the other is written, and one write exchanges them.
//
//   PINS/whitelist_network ──> the side in force, whichever that is, for bpftool
//   PINS/7/map_whitelist_network_even, PINS/7/map_whitelist_network_odd
//
// Not thread-safe.
#ifndef IPTRACKD_LOADER_WHITELIST_MAPS_H
#define IPTRACKD_LOADER_WHITELIST_MAPS_H

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <string>

#include "core/result.h"
#include "iptrackd/whitelist.h"

struct iptrackd_bpf;

namespace iptrackd::loader {

struct BytewiseLess {
  template <typename T>
  bool operator()(const T &a, const T &b) const noexcept {
    return std::memcmp(&a, &b, sizeof(T)) < 0;
  }
};

// What one side holds.
struct WhitelistContent {
  std::map<iptrackd_program, iptrackd_program_rules, BytewiseLess> programs;
  std::map<iptrackd_rule_key, iptrackd_network_rule, BytewiseLess> network;
  std::map<iptrackd_rule_key, iptrackd_exec_rule, BytewiseLess> exec;
};
using ProgramFiles = std::set<iptrackd_program, BytewiseLess>;

class WhitelistMaps {
 public:
  // SKELETON is loaded and outlives this. PINS: the directory of the public names; SET: what the set's own
  // pins begin with, "PINS/7/"; empty: there are none.
  WhitelistMaps(const iptrackd_bpf &skeleton, std::string pins, std::string set);

  // Where bpftool finds the maps; empty: nowhere.
  [[nodiscard]] const std::string &pins() const noexcept { return pins_; }

  [[nodiscard]] Result<WhitelistContent> in_force() const;
  // What the other side still holds: the rules before, with the last of their hits.
  [[nodiscard]] Result<WhitelistContent> spare() const;
  // Puts CONTENT in force in the place of all that is; no hook waits. SPARE: what spare() has just said. The
  // public names still name the side that was in force. Usage: it does not fit into the maps.
  [[nodiscard]] Result<void> exchange(const WhitelistContent &spare, const WhitelistContent &content);
  // Lets the public names name the side in force.
  [[nodiscard]] Result<void> publish() const;

  // The file that FD, any descriptor of it, refers to.
  [[nodiscard]] Result<iptrackd_program> identify(int fd) const;
  // The verdict of the hooks' own code: WHITELIST_* of bpf/whitelist.h.
  [[nodiscard]] Result<std::uint32_t> judge(const iptrackd_network_question &question) const;
  [[nodiscard]] Result<std::uint32_t> judge(const iptrackd_exec_question &question) const;

  // Those of FILES that a process runs.
  [[nodiscard]] ProgramFiles running(const ProgramFiles &files) const;

 private:
  struct Side {
    int programs, network, exec;
  };
  [[nodiscard]] Result<std::uint64_t> turn() const;
  [[nodiscard]] Result<WhitelistContent> read(std::uint64_t side) const;
  [[nodiscard]] Result<void> write(std::uint64_t side, const WhitelistContent &before,
                                   const WhitelistContent &content) const;
  [[nodiscard]] Result<std::uint32_t> ask(std::uint64_t kind, const void *question, std::size_t offset,
                                          std::size_t size) const;

  std::array<Side, 2> sides_;
  int turn_, desk_, processes_, identify_, judge_;
  std::string pins_, set_;
};

}  // namespace iptrackd::loader

#endif
