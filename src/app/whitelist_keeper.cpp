#include "app/whitelist_keeper.h"

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "app/chronicle.h"
#include "app/log.h"
#include "app/whitelist_json.h"
#include "core/pause.h"

namespace iptrackd::app {
namespace {

using Json = nlohmann::json;

// A change by bpftool is to be on record within a second.
constexpr std::chrono::milliseconds interval{700};
// More rules or programs than these of one change are told by their number.
constexpr std::size_t rules_told = 64;

// loginuid of a process; none: it has none, or is gone.
std::optional<std::uint32_t> login_of(pid_t pid) {
  std::ifstream file{fmt::format("/proc/{}/loginuid", pid)};
  std::uint32_t uid = 0;
  constexpr std::uint32_t unset = 0xffffffff;
  return file >> uid && uid != unset ? std::optional{uid} : std::nullopt;
}

std::string describe(const control::Peer &peer) {
  const auto login = login_of(peer.pid);
  return fmt::format("user {}, {}, process {}", peer.uid,
                     login ? fmt::format("logged in as {}", *login) : "without a login", peer.pid);
}

loader::Whitelist::Rules given(const Json &request, const char *name, bool include_root,
                               std::optional<Error> &error) {
  const auto found = request.find(name);
  if (found == request.end()) return std::nullopt;
  const RuleList list = std::string_view{name} == "exec" ? RuleList::exec : RuleList::network;
  auto rules = parse_rules(list, found->get<std::vector<std::string>>());
  if (!rules) {
    error = rules.error();
    return std::nullopt;
  }
  for (auto &rule : *rules) {
    if (list == RuleList::exec && !include_root) rule.exec.asks |= IPTRACKD_RULE_NOT_ROOT;
  }
  return std::move(*rules);
}

}  // namespace

std::vector<std::string> texts_of(const std::vector<config::Rule> &rules) {
  std::vector<std::string> texts;
  texts.reserve(rules.size());
  for (const auto &rule : rules) texts.push_back(rule.text);
  return texts;
}

Result<std::vector<WhitelistRule>> parse_rules(RuleList list, const std::vector<std::string> &texts) {
  std::vector<WhitelistRule> rules;
  for (const auto &text : texts) {
    auto rule = WhitelistRule::parse(list, text);
    if (!rule) {
      return fail(Fault::usage,
                  fmt::format("{} rule '{}': at its character {}: {}", rule_list_name(list),
                              printable(text.substr(0, 200)), rule.error().at + 1, rule.error().message));
    }
    rules.push_back(std::move(*rule));
  }
  return rules;
}

WhitelistKeeper::WhitelistKeeper(std::unique_ptr<loader::Whitelist> whitelist, spool::Spool &spool)
    : whitelist_{std::move(whitelist)}, spool_{spool} {}

Result<void> WhitelistKeeper::apply(const config::Whitelist &config, const std::string &by) {
  std::optional<Error> error;
  const Json lists{{"network", texts_of(config.network)}, {"exec", texts_of(config.exec)}};
  const auto network = given(lists, "network", config.include_root, error);
  const auto exec = given(lists, "exec", config.include_root, error);
  if (error) return tl::unexpected{*error};
  const auto change = whitelist_->replace(network, exec);
  if (!change) return tl::unexpected{change.error()};
  include_root_ = config.include_root;
  note(*change, by);
  return {};
}

void WhitelistKeeper::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    pause_for(interval, stop);
    look();
  }
}

void WhitelistKeeper::look() {
  const auto change = whitelist_->look();
  if (!change && !failing_) spdlog::error("whitelist: {}", printable(change.error().message()));
  failing_ = !change;
  if (!change) return;
  note(*change, "somebody who wrote into the kernel's maps (bpftool)");
  const std::size_t told = std::min(change->unreadable.size(), rules_told);
  for (std::size_t i = 0; i < told; ++i)
    spdlog::warn("whitelist: a program that has rules cannot be looked at: {}",
                 printable(change->unreadable[i]));
  if (const auto more = change->unreadable.size() - told; more != 0)
    spdlog::warn("whitelist: {} more programs cannot be looked at", more);
}

void WhitelistKeeper::note(const loader::WhitelistChange &change, const std::string &by) {
  if (change.rules.empty()) return;
  const auto tell = [&](const std::string &what) {
    const auto sentence =
        fmt::format("{} by {}; rules: {} before, {} after", what, by, change.before, change.after);
    app::note(spool_, "whitelist", sentence);
    spdlog::info("whitelist: {}", printable(sentence));
  };
  std::size_t told = 0;
  for (const auto &rule : change.rules) {
    if (told++ == rules_told) break;
    tell(fmt::format("{} {} rule {}", rule.added ? "added" : "took out", rule_list_name(rule.list),
                     rule.text));
  }
  if (change.rules.size() > rules_told)
    tell(fmt::format("{} more rules changed", change.rules.size() - rules_told));
}

Result<std::string> WhitelistKeeper::answer(std::string_view request, const control::Peer &peer) {
  const Json json = Json::parse(request, nullptr, false);
  if (!json.is_object()) return fail(Fault::usage, "the request is no JSON object");
  try {
    const auto verb = json.at("verb").get<std::string>();
    if (verb == "list") return whitelist_->list().map(listed_rules_to_json);
    if (verb == "test") return test_deeds(*whitelist_, json.at("queries"));
    std::optional<Error> error;
    auto network = given(json, "network", include_root_, error);
    auto exec = given(json, "exec", include_root_, error);
    if (error) return tl::unexpected{*error};
    std::vector<WhitelistRule> rules = network.value_or(std::vector<WhitelistRule>{});
    if (exec) rules.insert(rules.end(), exec->begin(), exec->end());
    if (verb == "encode")
      return whitelist_->encode(rules).map([](const auto &lines) { return Json(lines).dump(); });
    Result<loader::WhitelistChange> change = fail(Fault::usage, "there is no such verb");
    if (verb == "add") change = whitelist_->add(rules);
    if (verb == "del") change = whitelist_->remove(rules);
    if (verb == "replace") change = whitelist_->replace(network, exec);
    if (!change) return tl::unexpected{change.error()};
    note(*change, describe(peer));
    return Json{{"before", change->before}, {"after", change->after}}.dump();
  } catch (const Json::exception &) {
    return fail(Fault::usage, "the request is not as this version expects it");
  }
}

}  // namespace iptrackd::app
