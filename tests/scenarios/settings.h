// Settings: what the scenarios run against, from the environment, so that the same program serves a build
// tree with PostgreSQL and a virtual machine with neither.
#ifndef IPTRACKD_TESTS_SCENARIOS_SETTINGS_H
#define IPTRACKD_TESTS_SCENARIOS_SETTINGS_H

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace iptrackd::scenario {

using Path = std::filesystem::path;
using Connection = std::map<std::string, std::string>;  // libpq keywords: host, port, user, dbname

struct Settings {
  Path daemon;    // IPTRACKD_TEST_DAEMON: the program iptrackd
  Path programs;  // IPTRACKD_TEST_PROGRAMS: the directory of oracle, generator and noop
  Path scripts;   // IPTRACKD_TEST_SCRIPTS: the directory of postgres.sh
  // IPTRACKD_TEST_CONNECTION_ENV names the file with PGHOST and the like; without it rows are read from a
  // jsonl file.
  std::optional<Connection> connection;
  // IPTRACKD_TEST_MECHANISM: tracepoint (default) or fentry. It decides what the kernel side can vouch for.
  std::string mechanism;
  // IPTRACKD_TEST_DROP_IN: YAML for the shared daemon, which is as it is by default without.
  std::string drop_in;
  // IPTRACKD_TEST_STATE: the directory of a daemon that was started for many programs; see shared_daemon.h.
  std::optional<Path> state;
};

// Read once; throws std::runtime_error where the environment contradicts itself.
[[nodiscard]] const Settings &settings();

// PGHOST=... lines as scripts/postgres.sh writes them.
[[nodiscard]] Connection read_connection(const Path &file);

}  // namespace iptrackd::scenario

#endif
