// A reference of the whitelist's meaning, as naive as it can be: rules and events are text, and no code of
// the daemon is used. For comparison only; a rule must be valid.
#ifndef IPTRACKD_TESTS_SCENARIOS_WHITELIST_REFERENCE_H
#define IPTRACKD_TESTS_SCENARIOS_WHITELIST_REFERENCE_H

#include <string>
#include <vector>

namespace iptrackd::scenario {

struct WhitelistedDeed {
  std::string program;  // the path of what is executed; empty: a failed exec
  std::string kind;     // exec, connect, accept, bind, close
  std::string remote;   // empty: no remote end
  unsigned service_port = 0;
  unsigned remote_port = 0;
  unsigned local_port = 0;
  unsigned uid = 0;
  unsigned euid = 0;
  std::vector<std::string> arguments;  // behind argv[0]
};

// Does RULE of the network list match?
[[nodiscard]] bool reference_drops_network(const std::string &rule, const WhitelistedDeed &deed);
// The same of the exec list.
[[nodiscard]] bool reference_drops_exec(const std::string &rule, const WhitelistedDeed &deed,
                                        bool include_root);

// The same text for network rules that ask for the same, in whatever words.
[[nodiscard]] std::string reference_meaning(const std::string &network_rule);

}  // namespace iptrackd::scenario

#endif
