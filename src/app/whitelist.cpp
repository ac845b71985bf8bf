// `iptrackd whitelist`: asks the running daemon, which alone changes the rules.
#include <fmt/core.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/log.h"
#include "app/settings.h"
#include "app/verbs.h"
#include "app/whitelist_keeper.h"
#include "control/server.h"

namespace iptrackd::app {
namespace {

using Json = nlohmann::json;
using Texts = std::vector<std::string>;

// One argument may hold several rules, as the configuration may. They are looked at here first: a mistake is
// told even where no daemon runs.
Result<Texts> rules_of(const WhitelistOptions &options) {
  const RuleList list = options.exec ? RuleList::exec : RuleList::network;
  Texts texts;
  for (const auto &given : options.rules) {
    // A rule as a whole is the better reading of an exec rule's arguments, which may hold commas.
    if (list == RuleList::exec && WhitelistRule::parse(list, given)) {
      texts.push_back(given);
      continue;
    }
    for (const auto &piece : split_rules(list, given)) {
      texts.emplace_back(piece.text);
      if (auto rule = parse_rules(list, {texts.back()}); !rule) return tl::unexpected{rule.error()};
    }
  }
  if (texts.empty()) return fail(Fault::usage, "no rule is given; `iptrackd whitelist clear` takes all out");
  return texts;
}

Result<Json> change_request(const char *verb, const WhitelistOptions &options) {
  if (!options.from.empty()) {
    const auto config = load_config({options.from, true});
    if (!config) return tl::unexpected{config.error()};
    return Json{{"verb", verb},
                {"network", texts_of(config->whitelist.network)},
                {"exec", texts_of(config->whitelist.exec)}};
  }
  auto rules = rules_of(options);
  if (!rules) return tl::unexpected{rules.error()};
  return Json{{"verb", verb}, {options.exec ? "exec" : "network", std::move(*rules)}};
}

Json clear_request(const WhitelistOptions &options) {
  Json request{{"verb", "replace"}};
  if (!options.exec) request["network"] = Json::array();
  if (!options.network) request["exec"] = Json::array();
  return request;
}

Json test_request(const WhitelistOptions &options) {
  const bool is_outward = options.kind == "connect";
  const bool is_inward = options.kind == "accept" || options.kind == "bind";
  Json query{{"exe", options.exe},
             {"kind", options.kind},
             {"remote", options.remote},
             {"service_port", options.port},
             {"remote_port", is_outward && options.remote_port == 0 ? options.port : options.remote_port},
             {"local_port", is_inward && options.local_port == 0 ? options.port : options.local_port},
             {"uid", options.uid},
             {"euid", options.euid.value_or(options.uid)},
             {"args", options.arguments}};
  if (is_outward && options.port == 0) query["service_port"] = options.remote_port;
  if (is_inward && options.port == 0) query["service_port"] = options.local_port;
  return {{"verb", "test"}, {"queries", Json::array({std::move(query)})}};
}

Result<Json> request_for(WhitelistAction action, const WhitelistOptions &options) {
  switch (action) {
    case WhitelistAction::list:
      return Json{{"verb", "list"}};
    case WhitelistAction::add:
      return change_request("add", options);
    case WhitelistAction::del:
      return change_request("del", options);
    case WhitelistAction::replace:
      return change_request("replace", options);
    case WhitelistAction::encode:
      return change_request("encode", options);
    case WhitelistAction::clear:
      return clear_request(options);
    case WhitelistAction::test:
      break;
  }
  return test_request(options);
}

std::string remark_on(const Json &rule) {
  std::string remark;
  if (!rule.at("unreadable").is_null()) {
    remark += "; it cannot be looked at: " + printable(rule.at("unreadable").get<std::string>());
  } else if (rule.at("path") != "*" && rule.at("files").empty()) {
    remark += "; there is no such program";
  }
  if (rule.at("files").size() > 1) remark += "; also its older file, which is still run";
  if (rule.at("entered_by") == "bpftool") remark += "; entered by bpftool";
  if (!rule.at("matched").get<bool>()) remark += "; has never matched";
  return remark.empty() ? remark : "  (" + remark.substr(2) + ")";
}

void print_list(const Json &answer) {
  if (answer.at("rules").empty()) std::cout << "no rules: every event is stored\n";
  for (const auto &rule : answer.at("rules")) {
    std::cout << fmt::format("{:<8}{:>12}  {}{}\n", rule.at("list").get<std::string>(),
                             rule.at("hits").get<std::uint64_t>(),
                             printable(rule.at("rule").get<std::string>()), remark_on(rule));
  }
}

// A JSON string is a YAML string as well.
void print_yaml(const Json &answer, bool include_root) {
  std::cout << "whitelist:\n  include-root: " << (include_root ? "true" : "false") << '\n';
  for (const char *list : {"network", "exec"}) {
    bool any = false;
    for (const auto &rule : answer.at("rules")) {
      if (rule.at("list") != list) continue;
      if (!std::exchange(any, true)) std::cout << "  " << list << ":\n";
      const auto text = rule.at("rule").get<std::string>();
      const bool is_sayable =
          WhitelistRule::parse(std::string{"exec"} == list ? RuleList::exec : RuleList::network, text)
              .has_value();
      std::cout << (is_sayable ? "    - " : "    # no path is known for it: ") << Json(text).dump() << '\n';
    }
    if (!any) std::cout << "  " << list << ": []\n";
  }
}

void print_verdict(const Json &result) {
  if (result.at("dropped").get<bool>()) {
    std::cout << "dropped by the " << result.at("list").get<std::string>() << " rule "
              << printable(result.at("rule").get<std::string>()) << '\n';
  } else {
    std::cout << "stored: "
              << (result.at("considered").empty() ? "there is no rule for this program\n"
                                                  : "no rule matches\n");
  }
  for (const auto &considered : result.at("considered")) {
    if (considered.at("unmet").is_null()) continue;
    std::cout << "  not by " << printable(considered.at("rule").get<std::string>()) << ": "
              << considered.at("unmet").get<std::string>() << '\n';
  }
}

void print_answer(WhitelistAction action, const WhitelistOptions &options, const Json &answer,
                  bool include_root) {
  if (action == WhitelistAction::encode) {
    for (const auto &command : answer) std::cout << command.get<std::string>() << '\n';
  } else if (action == WhitelistAction::list && options.save) {
    print_yaml(answer, include_root);
  } else if (options.json) {
    std::cout << (action == WhitelistAction::test ? answer.at("results").at(0) : answer).dump(2) << '\n';
  } else if (action == WhitelistAction::list) {
    print_list(answer);
  } else if (action == WhitelistAction::test) {
    print_verdict(answer.at("results").at(0));
  } else {
    std::cout << fmt::format("{} rules before, {} now\n", answer.at("before").get<std::size_t>(),
                             answer.at("after").get<std::size_t>());
  }
}

}  // namespace

int whitelist(const ConfigFile &file, WhitelistAction action, const WhitelistOptions &options) {
  const auto config = load_config(file, Missing::means_defaults);
  if (!config) return report(config.error());
  const auto request = request_for(action, options);
  if (!request) return report(request.error());
  const auto answer = control::ask(
      config->control.socket, "whitelist " + request->dump(-1, ' ', false, Json::error_handler_t::replace));
  if (!answer) return report(Error{answer.error().fault(), printable(answer.error().message())});
  const Json json = Json::parse(*answer, nullptr, false);
  if (json.is_discarded()) return report(Error{Fault::environment, "the daemon's answer cannot be read"});
  print_answer(action, options, json, config->whitelist.include_root);
  return 0;
}

}  // namespace iptrackd::app
