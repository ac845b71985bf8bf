// `iptrackd probes`: what this kernel lets us see, hook by hook.
#include <fmt/core.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "app/log.h"
#include "app/settings.h"
#include "app/verbs.h"

namespace iptrackd::app {
namespace {

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

void print_table(const std::vector<loader::HookStatus> &hooks) {
  std::cout << fmt::format("{:<9} {:<11} {:<36} {}\n", "STATE", "MECHANISM", "HOOK", "FOR");
  for (const auto &status : hooks) {
    std::cout << fmt::format("{:<9} {:<11} {:<36} {}\n", state_name(status.state), status.mechanism(),
                             status.target, status.hook->purpose);
    if (!status.reason.empty()) std::cout << fmt::format("{:>9} {}\n", "", printable(status.reason));
  }
}

void print_json(const std::vector<loader::HookStatus> &hooks) {
  auto array = nlohmann::json::array();
  for (const auto &status : hooks) {
    array.push_back({{"program", status.hook->program},
                     {"hook", status.target},
                     {"mechanism", status.hook->mechanism},
                     {"for", status.hook->purpose},
                     {"state", state_name(status.state)},
                     {"reason", status.reason}});
  }
  std::cout << array.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

}  // namespace

int probes(const ConfigFile &file, bool json) {
  const auto config = load_config(file, Missing::means_defaults);
  if (!config) return report(config.error());
  const auto tracer = loader::Tracer::start(tracer_options(*config));
  if (!tracer) return report(tracer.error());
  const auto &hooks = (*tracer)->hooks();
  json ? print_json(hooks) : print_table(hooks);
  const bool complete = std::none_of(hooks.begin(), hooks.end(), [](const loader::HookStatus &status) {
    return status.state == loader::HookState::refused;
  });
  return complete ? 0 : 1;
}

}  // namespace iptrackd::app
