// The verbs of the command line. Each takes what the user gave and returns the exit code: 0 success, 1
// failure at run time, 2 usage or configuration error. What goes wrong is told on stderr.
#ifndef IPTRACKD_APP_VERBS_H
#define IPTRACKD_APP_VERBS_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace iptrackd::app {

struct ConfigFile {
  std::string path;
  bool given = false;  // on the command line; else it is the default, which need not exist for every verb
};

[[nodiscard]] int run(const ConfigFile &file);
[[nodiscard]] int check(const ConfigFile &file);
// Asks neither kernel nor database, nor whether this host has what the file names.
[[nodiscard]] int check_offline(const ConfigFile &file);
// FILE: the BTF of any kernel. VERBOSE: also what is as it should be.
[[nodiscard]] int check_btf(const std::string &file, bool verbose);
[[nodiscard]] int probes(const ConfigFile &file, bool json);
// Takes out what a daemon has left in the kernel; none may run.
[[nodiscard]] int detach(const ConfigFile &file);
[[nodiscard]] int status(const ConfigFile &file, bool json);

// What `iptrackd whitelist` was asked for; see main.cpp for its options.
enum class WhitelistAction { list, add, del, replace, clear, encode, test };
struct WhitelistOptions {
  bool network = false;  // which list; neither: the action's own default
  bool exec = false;
  std::vector<std::string> rules;
  std::string from;  // replace: a file to take both lists from
  bool json = false;
  bool save = false;
  // test
  std::string exe;
  std::string kind = "connect";
  std::string remote;
  std::uint16_t port = 0, remote_port = 0, local_port = 0;
  std::uint32_t uid = 0;
  std::optional<std::uint32_t> euid;
  std::vector<std::string> arguments;
};
[[nodiscard]] int whitelist(const ConfigFile &file, WhitelistAction action, const WhitelistOptions &options);

enum class SchemaAction { print, apply, check, maintain };
// apply: the roles that are to get a duty, and the hosts as which the writers may write.
struct SchemaOptions {
  std::vector<std::string> writers, hosts, readers, investigators;
};
[[nodiscard]] int schema(const ConfigFile &file, SchemaAction action, const SchemaOptions &options);

}  // namespace iptrackd::app

#endif
