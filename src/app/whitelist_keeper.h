// WhitelistKeeper: where the whitelist's rules come from, and who changed them. It takes the configuration's,
// answers `iptrackd whitelist`, looks for what others wrote into the maps, and notes every change for
// iptrackd.host_event. One thread of its own; the rest is thread-safe.
#ifndef IPTRACKD_APP_WHITELIST_KEEPER_H
#define IPTRACKD_APP_WHITELIST_KEEPER_H

#include <atomic>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "control/server.h"
#include "core/result.h"
#include "loader/whitelist.h"
#include "spool/spool.h"

namespace iptrackd::app {

// The rules of RULES, of which the configuration has already told that they are right.
[[nodiscard]] Result<std::vector<WhitelistRule>> parse_rules(RuleList list,
                                                             const std::vector<std::string> &texts);

[[nodiscard]] std::vector<std::string> texts_of(const std::vector<config::Rule> &rules);

class WhitelistKeeper {
 public:
  // SPOOL must outlive it.
  WhitelistKeeper(std::unique_ptr<loader::Whitelist> whitelist, spool::Spool &spool);

  // Both lists as the configuration has them; BY: who wants it. What is in force stays when this fails.
  [[nodiscard]] Result<void> apply(const config::Whitelist &config, const std::string &by);

  // The thread's body.
  void run(std::stop_token stop);

  // REQUEST is a JSON object, see docs/whitelist.md. Faults: usage, environment.
  [[nodiscard]] Result<std::string> answer(std::string_view request, const control::Peer &peer);

 private:
  void look();
  void note(const loader::WhitelistChange &change, const std::string &by);

  std::unique_ptr<loader::Whitelist> whitelist_;
  spool::Spool &spool_;
  std::atomic<bool> include_root_{false};
  bool failing_ = false;  // the last look
};

}  // namespace iptrackd::app

#endif
