// The script for bash: two tables made from the command line, and one function that looks into them.
#include <string_view>

#include "app/command_tree.h"
#include "app/completion.h"

namespace iptrackd::app {
namespace {

constexpr std::string_view bash_head =
    R"bash(# Completion of iptrackd for bash, printed by `iptrackd completion bash`.

# What may follow the verb $1; fails where there is no such verb.
_iptrackd_words() {
  case $1 in
)bash";

constexpr std::string_view bash_middle = R"bash(    *) return 1 ;;
  esac
}

# What the value of the verb's ($1) option $2 may be: `files`, or words; fails where the option has none.
_iptrackd_values() {
  case "$1 $2" in
)bash";

// Readline cuts --config=FILE into three words, the second of which is "=".
constexpr std::string_view bash_tail = R"bash(    *) return 1 ;;
  esac
}

_iptrackd() {
  local current=${COMP_WORDS[COMP_CWORD]} verb='' option='' values='' word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [[ $option ]]; then
      if [[ $word != '=' ]]; then option=''; fi
    elif _iptrackd_values "$verb" "$word" >/dev/null; then
      option=$word
    elif _iptrackd_words "${verb:+$verb }$word" >/dev/null; then
      verb+=${verb:+ }$word
    fi
  done
  COMPREPLY=()
  if [[ ! $option ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_iptrackd_words "$verb")" -- "$current")
    return
  fi
  if [[ $current == '=' ]]; then current=''; fi
  values=$(_iptrackd_values "$verb" "$option")
  if [[ $values == files ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
  fi
}
complete -F _iptrackd iptrackd
)bash";

std::string joined_words(const std::vector<std::string> &words) {
  std::string text;
  for (const auto &word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

void add_words(const Command &command, std::string &script) {
  std::vector<std::string> words;
  for (const auto &verb : command.verbs) words.push_back(verb.name);
  for (const auto &option : command.options)
    words.insert(words.end(), option.spellings.begin(), option.spellings.end());
  script += "    '" + command.path + "') echo '" + joined_words(words) + "' ;;\n";
  for (const auto &verb : command.verbs) add_words(verb, script);
}

void add_values(const Command &command, std::string &script) {
  for (const auto &option : command.options) {
    if (option.value.empty()) continue;
    std::string patterns;
    for (const auto &spelling : option.spellings)
      patterns += (patterns.empty() ? "'" : " | '") + command.path + " " + spelling + "'";
    const bool is_file = option.value == "FILE" || option.value == "PATH";
    script += "    " + patterns + ") echo '" + (is_file ? "files" : joined_words(option.choices)) + "' ;;\n";
  }
  for (const auto &verb : command.verbs) add_values(verb, script);
}

}  // namespace

std::string bash_completion(const CLI::App &app) {
  const Command program = command_tree(app);
  std::string script{bash_head};
  add_words(program, script);
  script += bash_middle;
  add_values(program, script);
  script += bash_tail;
  return script;
}

}  // namespace iptrackd::app
