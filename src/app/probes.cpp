// `iptrackd probes`: what this kernel lets us see, hook by hook.
#include <fmt/core.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "app/log.h"
#include "app/settings.h"
#include "app/verbs.h"

namespace iptrackd::app {
namespace {

using Counters = std::array<loader::HookCounters, IPTRACKD_HOOK_COUNT>;

std::string_view state_name(loader::HookState state) {
  switch (state) {
    case loader::HookState::attached:
      return "attached";
    case loader::HookState::disabled:
      return "disabled";
    case loader::HookState::spare:
      return "spare";
    case loader::HookState::absent:
      return "absent";
    case loader::HookState::refused:
      return "refused";
  }
  return "";
}

bool contains(const std::vector<const loader::HookStatus *> &hooks, const loader::HookStatus &status) {
  return std::find(hooks.begin(), hooks.end(), &status) != hooks.end();
}

// Attached is not enough: did it see the deed of the self-test?
std::string_view verdict(const loader::HookStatus &status, const loader::SelfTestReport &report) {
  if (status.state != loader::HookState::attached) return state_name(status.state);
  if (contains(report.silent, status)) return "silent";
  return "attached";
}

std::string misses_of(const loader::HookCounters &counters) {
  return counters.misses ? std::to_string(*counters.misses) : "?";
}

void print_table(const std::vector<loader::HookStatus> &hooks, const Counters &counters,
                 const loader::SelfTestReport &report) {
  std::cout << fmt::format("{:<9} {:<11} {:<37} {:>6} {:>6}  {}\n", "STATE", "MECHANISM", "HOOK", "HITS",
                           "MISSES", "FOR");
  for (const auto &status : hooks) {
    const auto &counts = counters.at(status.hook->number);
    const bool is_attached = status.state == loader::HookState::attached;
    std::cout << fmt::format("{:<9} {:<11} {:<37} {:>6} {:>6}  {}\n", verdict(status, report),
                             status.mechanism(), status.target,
                             is_attached ? std::to_string(counts.hits) : "",
                             is_attached ? misses_of(counts) : "", status.hook->purpose);
    if (!status.reason.empty()) std::cout << fmt::format("{:>9} {}\n", "", printable(status.reason));
  }
  std::cout
      << "\nHITS and MISSES are those of the self-test and of whatever else the host did meanwhile; ? is not "
         "counted by this kernel.\n";
  for (const auto name : report.unseen_ways) std::cout << fmt::format("These hooks do not show: {}.\n", name);
  if (!report.remark.empty()) std::cout << "The self-test: " << printable(report.remark) << ".\n";
}

void print_json(const std::vector<loader::HookStatus> &hooks, const Counters &counters,
                const loader::SelfTestReport &report) {
  auto array = nlohmann::json::array();
  for (const auto &status : hooks) {
    const auto &[hits, misses] = counters.at(status.hook->number);
    const bool is_attached = status.state == loader::HookState::attached;
    array.push_back({{"program", status.hook->program},
                     {"hook", status.target},
                     {"mechanism", status.mechanism()},
                     {"for", status.hook->purpose},
                     {"state", verdict(status, report)},
                     {"attached", is_attached},
                     {"tested", is_attached && !contains(report.untested, status) && report.performed},
                     {"hits", is_attached ? nlohmann::json(hits) : nlohmann::json(nullptr)},
                     {"misses", is_attached && misses ? nlohmann::json(*misses) : nlohmann::json(nullptr)},
                     {"verified_instructions", is_attached && status.verified_instructions
                                                   ? nlohmann::json(*status.verified_instructions)
                                                   : nlohmann::json(nullptr)},
                     {"reason", status.reason}});
  }
  std::cout << array.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

}  // namespace

int probes(const ConfigFile &file, bool json) {
  const auto config = load_config(file, Missing::means_defaults);
  if (!config) return report(config.error());
  auto options = tracer_options(*config);
  options.count_instructions = json;
  options.whole_host = false;  // it tells what is seen from here
  const auto tracer = loader::Tracer::start(options);
  if (!tracer) return report(tracer.error());
  const auto found = self_test(**tracer, *config);
  const auto counters = (*tracer)->hook_counters();
  const auto &hooks = (*tracer)->hooks();
  json ? print_json(hooks, counters, found) : print_table(hooks, counters, found);
  return found.failures(hooks).empty() ? 0 : 1;
}

int detach(const ConfigFile &file) {
  const auto config = load_config(file, Missing::means_defaults);
  if (!config) return report(config.error());
  const auto removed = loader::remove_pins(config->bpf.pin_directory);
  if (!removed) return report(removed.error());
  std::cout << (*removed ? "nothing is recorded on this host any more\n" : "there was nothing to take out\n");
  return 0;
}

}  // namespace iptrackd::app
