#include "app/command_tree.h"

#include <CLI/Option.hpp>
#include <algorithm>
#include <functional>
#include <sstream>

namespace iptrackd::app {
namespace {

// "a,b" of a type name such as "TEXT:{a,b}", which is where CLI11 keeps the words that a value is one of.
std::vector<std::string> choices_of(const std::string &type_name) {
  std::vector<std::string> choices;
  const auto begin = type_name.find('{');
  const auto end = type_name.find('}', begin);
  if (begin == std::string::npos || end == std::string::npos) return choices;
  std::istringstream words{type_name.substr(begin + 1, end - begin - 1)};
  for (std::string word; std::getline(words, word, ',');) choices.push_back(word);
  return choices;
}

CommandOption describe_option(const CLI::Option &option) {
  CommandOption described;
  for (const auto &name : option.get_snames()) described.spellings.push_back("-" + name);
  for (const auto &name : option.get_lnames()) described.spellings.push_back("--" + name);
  described.description = option.get_description();
  if (option.get_items_expected_max() == 0) return described;
  described.value = option.get_type_name();
  described.choices = choices_of(described.value);
  described.value.erase(std::min(described.value.find(':'), described.value.size()));
  return described;
}

Command describe(const CLI::App &app, const std::string &path) {
  Command command;
  command.path = path;
  command.name = app.get_name();
  command.description = app.get_description();
  for (const CLI::Option *option : app.get_options({})) {
    if (!option->nonpositional()) {
      command.takes_arguments = true;
    } else if (!option->get_group().empty()) {
      command.options.push_back(describe_option(*option));
    }
  }
  for (const CLI::App *verb : app.get_subcommands(std::function<bool(const CLI::App *)>{})) {
    if (verb->get_group().empty()) continue;
    command.verbs.push_back(describe(*verb, (path.empty() ? "" : path + " ") + verb->get_name()));
  }
  return command;
}

}  // namespace

Command command_tree(const CLI::App &app) {
  return describe(app, "");
}

}  // namespace iptrackd::app
