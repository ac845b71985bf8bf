// Completion: what the command line knows of its verbs and options, as scripts for shells. CLI11 has none of
// its own.
#ifndef IPTRACKD_APP_COMPLETION_H
#define IPTRACKD_APP_COMPLETION_H

#include <CLI/App.hpp>
#include <string>

namespace iptrackd::app {

// Scripts that complete APP's verbs, their options, and the options' values where these are files or a few
// words. Hidden verbs and options (those without a group) are left out. The scripts need nothing but the
// shell itself.
[[nodiscard]] std::string bash_completion(const CLI::App &app);
[[nodiscard]] std::string zsh_completion(const CLI::App &app);

}  // namespace iptrackd::app

#endif
