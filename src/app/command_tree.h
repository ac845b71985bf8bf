// The command line as a tree of plain values, for what describes it to others than CLI11.
#ifndef IPTRACKD_APP_COMMAND_TREE_H
#define IPTRACKD_APP_COMMAND_TREE_H

#include <CLI/App.hpp>
#include <string>
#include <vector>

namespace iptrackd::app {

struct CommandOption {
  std::vector<std::string> spellings;  // with their dashes, short ones first
  std::string description;
  std::string value;                 // what the help calls it: FILE, PORT; empty where there is no value
  std::vector<std::string> choices;  // all that the value may be, where these are few
};

struct Command {
  std::string path;  // "schema apply"; empty: the program itself
  std::string name;
  std::string description;
  std::vector<CommandOption> options;
  std::vector<Command> verbs;
  bool takes_arguments = false;  // that are no options
};

// Without what is hidden: verbs and options that have no group.
[[nodiscard]] Command command_tree(const CLI::App &app);

}  // namespace iptrackd::app

#endif
