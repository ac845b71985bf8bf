// What `iptrackd whitelist` and the daemon tell each other, in JSON.
#ifndef IPTRACKD_APP_WHITELIST_JSON_H
#define IPTRACKD_APP_WHITELIST_JSON_H

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/result.h"
#include "loader/whitelist.h"

namespace iptrackd::app {

[[nodiscard]] std::string listed_rules_to_json(const std::vector<loader::ListedRule> &rules);

// "remote-port" and the like: what a rule asks for; IPTRACKD_RULE_*.
[[nodiscard]] std::string demand_name(int demand);

// Judges each of QUERIES, an array. Throws nlohmann::json::exception where they are not as they should be.
[[nodiscard]] Result<std::string> test_deeds(loader::Whitelist &whitelist, const nlohmann::json &queries);

}  // namespace iptrackd::app

#endif
