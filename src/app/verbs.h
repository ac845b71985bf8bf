// The verbs of the command line. Each takes what the user gave and returns the exit code: 0 success, 1
// failure at run time, 2 usage or configuration error. What goes wrong is told on stderr.
#ifndef IPTRACKD_APP_VERBS_H
#define IPTRACKD_APP_VERBS_H

#include <string>

namespace iptrackd::app {

struct ConfigFile {
  std::string path;
  bool given = false;  // on the command line; else it is the default, which need not exist for every verb
};

[[nodiscard]] int run(const ConfigFile &file);
[[nodiscard]] int check(const ConfigFile &file);
// FILE: the BTF of any kernel. VERBOSE: also what is as it should be.
[[nodiscard]] int check_btf(const std::string &file, bool verbose);
[[nodiscard]] int probes(const ConfigFile &file, bool json);
// Takes out what a daemon has left in the kernel; none may run.
[[nodiscard]] int detach(const ConfigFile &file);
[[nodiscard]] int status(const ConfigFile &file, bool json);

enum class SchemaAction { print, apply, check, maintain };
[[nodiscard]] int schema(const ConfigFile &file, SchemaAction action);

}  // namespace iptrackd::app

#endif
