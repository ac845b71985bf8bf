#include "settings.h"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace iptrackd::scenario {
namespace {

std::string variable(const char *name, const std::string &fallback) {
  const char *value = std::getenv(name);
  return value != nullptr ? value : fallback;
}

Settings read_settings() {
  Settings result;
  result.daemon = variable("IPTRACKD_TEST_DAEMON", IPTRACKD_BUILT_DAEMON);
  result.programs = variable("IPTRACKD_TEST_PROGRAMS", IPTRACKD_BUILT_PROGRAMS);
  result.scripts = variable("IPTRACKD_TEST_SCRIPTS", IPTRACKD_SOURCE_SCRIPTS);
  result.mechanism = variable("IPTRACKD_TEST_MECHANISM", "tracepoint");
  result.drop_in = variable("IPTRACKD_TEST_DROP_IN", "");
  if (const std::string file = variable("IPTRACKD_TEST_CONNECTION_ENV", ""); !file.empty()) {
    result.connection = read_connection(file);
  }
  if (const std::string state = variable("IPTRACKD_TEST_STATE", ""); !state.empty()) result.state = state;
  return result;
}

}  // namespace

const Settings &settings() {
  static const Settings the_settings = read_settings();
  return the_settings;
}

Connection read_connection(const Path &file) {
  const std::map<std::string, std::string> keywords{
      {"PGHOST", "host"}, {"PGPORT", "port"}, {"PGUSER", "user"}, {"PGDATABASE", "dbname"}};
  Connection connection;
  std::ifstream lines{file};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("export ")) line.erase(0, 7);
    const auto equals = line.find('=');
    if (equals == std::string::npos) continue;
    const auto keyword = keywords.find(line.substr(0, equals));
    if (keyword != keywords.end()) connection[keyword->second] = line.substr(equals + 1);
  }
  if (connection.empty()) throw std::runtime_error{"no connection in " + file.string()};
  return connection;
}

}  // namespace iptrackd::scenario
