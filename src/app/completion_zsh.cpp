// The script for zsh: a function for the program and one for each verb, which calls those of its own verbs.
#include <algorithm>
#include <string_view>

#include "app/command_tree.h"
#include "app/completion.h"

namespace iptrackd::app {
namespace {

// TEXT between single quotes, where _arguments and _describe take it as it is.
std::string zsh_escaped(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '\'') {
      out += "'\\''";
    } else {
      if (letter == '[' || letter == ']' || letter == ':' || letter == '\\') out += '\\';
      out += letter;
    }
  }
  return out;
}

std::string action_of(const CommandOption &option) {
  if (option.value == "FILE" || option.value == "PATH") return "_files";
  std::string words;
  for (const auto &choice : option.choices) words += (words.empty() ? "" : " ") + choice;
  return words.empty() ? " " : "(" + words + ")";
}

// '(-c --config)--config=[Configuration file]:FILE:_files', one for each spelling: each rules out the others.
void add_option(const CommandOption &option, std::string &script) {
  std::string all;
  for (const auto &spelling : option.spellings) all += (all.empty() ? "" : " ") + spelling;
  for (const auto &spelling : option.spellings) {
    script.append("    '(").append(all).append(")").append(spelling);
    if (!option.value.empty()) script += spelling.starts_with("--") ? "=" : "+";
    script += "[" + zsh_escaped(option.description) + "]";
    if (!option.value.empty()) script += ":" + zsh_escaped(option.value) + ":" + action_of(option);
    script += "'\n";
  }
}

std::string function_name(const Command &command) {
  std::string name = "_iptrackd" + (command.path.empty() ? "" : "_" + command.path);
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

// Behind _arguments: the verb that is to be completed, or the one that completes the rest.
void add_choice(const Command &command, std::string &script) {
  script += "  case $state in\n    verb)\n      specs=(\n";
  for (const auto &verb : command.verbs)
    script += "        '" + verb.name + ":" + zsh_escaped(verb.description) + "'\n";
  script += "      )\n      _describe -t commands verb specs ;;\n    rest)\n      case $words[1] in\n";
  for (const auto &verb : command.verbs)
    script += "        " + verb.name + ") " + function_name(verb) + " ;;\n";
  script += "      esac ;;\n  esac\n";
}

void add_function(const Command &command, std::string &script) {
  for (const auto &verb : command.verbs) add_function(verb, script);
  script += "\n" + function_name(command) + "() {\n  local curcontext=$curcontext state line\n" +
            "  local -a specs\n  typeset -A opt_args\n  specs=(\n";
  for (const auto &option : command.options) add_option(option, script);
  if (!command.verbs.empty()) script += "    '1:verb:->verb'\n    '*::argument:->rest'\n";
  if (command.takes_arguments) script += "    '*:argument: '\n";
  script += "  )\n  _arguments -C -s $specs\n";
  if (!command.verbs.empty()) add_choice(command, script);
  script += "}\n";
}

}  // namespace

std::string zsh_completion(const CLI::App &app) {
  std::string script =
      "#compdef iptrackd\n# Completion of iptrackd for zsh, printed by `iptrackd completion zsh`.\n";
  add_function(command_tree(app), script);
  return script + "\n_iptrackd \"$@\"\n";
}

}  // namespace iptrackd::app
