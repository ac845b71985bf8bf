#include "app/whitelist_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace iptrackd::app {
namespace {

using Json = nlohmann::json;

std::string dumped(const Json &json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json file_to_json(const iptrackd_program &file) {
  return {{"device", file.device}, {"inode", file.inode}, {"generation", file.generation}};
}

std::optional<Kind> kind_of(const std::string &name) {
  for (const Kind kind : {Kind::exec, Kind::connect, Kind::accept, Kind::bind, Kind::close}) {
    if (name == kind_name(kind)) return kind;
  }
  return std::nullopt;
}

Result<loader::Deed> deed_from_json(const Json &query) {
  loader::Deed deed;
  deed.exe = query.at("exe").get<std::string>();
  const auto kind = kind_of(query.value("kind", "connect"));
  if (!kind) return fail(Fault::usage, "kind is one of exec, connect, accept, bind, close");
  deed.kind = *kind;
  if (const auto remote = query.value("remote", std::string{}); !remote.empty()) {
    deed.remote = Address::parse(remote);
    if (!deed.remote) return fail(Fault::usage, "remote is no numeric address");
  }
  deed.service_port = query.value("service_port", std::uint16_t{0});
  deed.remote_port = query.value("remote_port", std::uint16_t{0});
  deed.local_port = query.value("local_port", std::uint16_t{0});
  deed.uid = query.value("uid", 0U);
  deed.euid = query.value("euid", deed.uid);
  deed.arguments = query.value("args", std::vector<std::string>{});
  return deed;
}

Json verdict_to_json(const loader::Deed &deed, const loader::Verdict &verdict) {
  Json json{{"dropped", verdict.dropped}, {"considered", Json::array()}};
  for (const auto &considered : verdict.rules) {
    json["considered"].push_back(
        {{"rule", considered.rule},
         {"unmet", considered.unmet == 0 ? Json{} : Json(demand_name(considered.unmet))}});
  }
  if (!verdict.dropped) return json;
  json["list"] = deed.kind == Kind::exec ? "exec" : "network";
  json["rule"] = verdict.rules.back().rule;
  return json;
}

}  // namespace

std::string listed_rules_to_json(const std::vector<loader::ListedRule> &rules) {
  Json list = Json::array();
  for (const auto &rule : rules) {
    Json files = Json::array();
    for (const auto &file : rule.files) files.push_back(file_to_json(file));
    list.push_back({{"list", rule_list_name(rule.list)},
                    {"rule", rule.text},
                    {"hits", rule.hits},
                    {"matched", rule.hits != 0},
                    {"path", rule.path},
                    {"files", std::move(files)},
                    {"unreadable", rule.unreadable.empty() ? Json{} : Json(rule.unreadable)},
                    {"entered_by", rule.by_map ? "bpftool" : "iptrackd"}});
    if (rule.list == RuleList::exec) list.back()["include_root"] = rule.drops_root;
  }
  return dumped({{"rules", std::move(list)}});
}

std::string demand_name(int demand) {
  constexpr std::array<std::pair<int, const char *>, 8> names{{
      {IPTRACKD_RULE_KINDS, "kind"},
      {IPTRACKD_RULE_UID, "uid"},
      {IPTRACKD_RULE_REMOTE, "remote address"},
      {IPTRACKD_RULE_SERVICE_PORT, "service port"},
      {IPTRACKD_RULE_REMOTE_PORT, "remote port"},
      {IPTRACKD_RULE_LOCAL_PORT, "local port"},
      {IPTRACKD_RULE_ARGUMENTS, "arguments"},
      {IPTRACKD_RULE_NOT_ROOT, "root (whitelist.include-root is false)"},
  }};
  const auto *const found =
      std::find_if(names.begin(), names.end(), [demand](const auto &name) { return name.first == demand; });
  return found == names.end() ? "?" : found->second;
}

Result<std::string> test_deeds(loader::Whitelist &whitelist, const Json &queries) {
  Json results = Json::array();
  for (const auto &query : queries) {
    const auto deed = deed_from_json(query);
    if (!deed) return tl::unexpected{deed.error()};
    const auto verdict = whitelist.test(*deed);
    if (!verdict) return tl::unexpected{verdict.error()};
    results.push_back(verdict_to_json(*deed, *verdict));
  }
  return dumped({{"results", std::move(results)}});
}

}  // namespace iptrackd::app
