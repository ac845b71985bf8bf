// Every key has a test that shows what it does to a running program. The table says which; a new key without
// a line here fails, and so does a line whose test is gone.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include "config/fill.h"
#include "config/section.h"
#include "config/tree.h"

using namespace iptrackd::config;

namespace {

struct Effect {
  std::string_view key;
  std::string_view shown_by;  // the name of a test case, wherever it stands below tests/
};

constexpr std::array effects{
    Effect{"host-name", "configuration: host-name is the name that rows carry"},
    Effect{"probes.mechanism", "self-test: probes tells what is attached and that it works"},
    Effect{"probes.exec", "configuration: without probes.exec"},
    Effect{"probes.tcp-connect", "configuration: without probes.tcp-connect"},
    Effect{"probes.tcp-accept", "configuration: without probes.tcp-accept"},
    Effect{"probes.tcp-bind", "configuration: without probes.tcp-bind"},
    Effect{"probes.tcp-close", "configuration: without probes.tcp-close"},
    Effect{"probes.udp-connect", "configuration: without probes.udp-connect"},
    Effect{"probes.udp-bind", "configuration: without probes.udp-bind"},
    Effect{"probes.udp-close", "configuration: without probes.udp-close"},
    Effect{"probes.compat-calls", "compat calls: accept by int 0x80"},
    Effect{"probes.args-max-bytes", "configuration: probes.args-max-bytes cuts arguments"},
    Effect{"ring-buffer.size", "configuration: ring-buffer.size is what is kept while nobody reads"},
    Effect{"ring-buffer.drain-interval-ms",
           "configuration: ring-buffer.drain-interval-ms is how often events are taken up"},
    Effect{"ring-buffer.user-budget", "fairness: what is over a user's budget is counted by name and kind"},
    Effect{"bpf.pin-directory", "configuration: files are where they are said to be and nowhere else"},
    Effect{"bpf.keep-on-exit", "status: what is left in the kernel can be taken out"},
    Effect{"pam.fifo-file", "configuration: files are where they are said to be and nowhere else"},
    Effect{"log-pool.records.min", "configuration: log-pool.records bound what is allocated"},
    Effect{"log-pool.records.max", "configuration: log-pool.records bound what is allocated"},
    Effect{"log-pool.records.delta", "configuration: log-pool.records bound what is allocated"},
    Effect{"log-pool.push-wait-seconds.min",
           "configuration: log-pool.push-wait-seconds are the waits for a record"},
    Effect{"log-pool.push-wait-seconds.max",
           "configuration: log-pool.push-wait-seconds are the waits for a record"},
    Effect{"log-pool.push-wait-seconds.delta",
           "configuration: log-pool.push-wait-seconds are the waits for a record"},
    Effect{"log-pool.push-wait-seconds.grow-threshold",
           "configuration: log-pool.push-wait-seconds are the waits for a record"},
    Effect{"spool.directory", "configuration: files are where they are said to be and nowhere else"},
    Effect{"spool.max-size",
           "configuration: spool.max-size bounds the spool and what no longer fits is lost"},
    Effect{"spool.sync-interval-ms",
           "configuration: spool.sync-interval-ms is how long records wait for the disk"},
    Effect{"spool.retain", "configuration: spool.retain keeps what is stored already"},
    Effect{"database.driver-name", "configuration: database.driver-name jsonl writes into database.filename"},
    Effect{"database.filename", "configuration: database.driver-name jsonl writes into database.filename"},
    Effect{"database.schema", "configuration: database.schema and connection keywords reach the server"},
    Effect{"database.batch.rows", "configuration: database.batch.rows are at most in a batch"},
    Effect{"database.batch.bytes", "configuration: database.batch.bytes are at most in a batch"},
    Effect{"database.batch.linger-ms",
           "configuration: database.batch.linger-ms is how long a batch waits for more"},
    Effect{"database.host", "configuration: database.schema and connection keywords reach the server"},
    Effect{"database.port", "configuration: database.schema and connection keywords reach the server"},
    Effect{"database.dbname", "configuration: database.schema and connection keywords reach the server"},
    Effect{"database.user", "configuration: database.schema and connection keywords reach the server"},
    Effect{"database.passfile", "configuration: database.passfile is where the password is looked for"},
    Effect{"database.sslmode", "configuration: database.sslmode is what is demanded of the server"},
    Effect{"database.sslrootcert", "configuration: database.sslrootcert is what the server is checked with"},
    Effect{"database.connect_timeout",
           "connect_timeout among the connection keywords is how long a server is waited for"},
    Effect{"redact.exe", "configuration: redact takes the place of the default rules"},
    Effect{"redact.pattern", "configuration: redact takes the place of the default rules"},
    Effect{"whitelist.include-root", "whitelist: rules of exec leave root alone unless they are told to"},
    Effect{"whitelist.network", "whitelist: a mistake in the file leaves the rules in force"},
    Effect{"whitelist.exec", "whitelist: a mistake in the file leaves the rules in force"},
    Effect{"control.socket", "configuration: files are where they are said to be and nowhere else"},
    Effect{"metrics.listen", "configuration: metrics.listen has no effect and the daemon says so"},
    Effect{"log.level", "configuration: log.level says how much is told and changes with a reload"},
};

std::string content_of(const std::filesystem::path &file) {
  std::ostringstream text;
  text << std::ifstream{file}.rdbuf();
  return text.str();
}

// The template's keys, those in its comments too. The code reads all of libpq's keywords; the template shows
// those that are usual, and the others go the same way.
std::set<std::string> keys_with_a_value() {
  Findings findings;
  const auto text = content_of(IPTRACKD_TEMPLATE);
  const auto tree = parse_tree(text, IPTRACKD_TEMPLATE);
  REQUIRE(tree);
  static_cast<void>(fill(*tree, findings));
  const auto known = findings.known_keys();
  std::set<std::string> keys;
  for (const auto &key : known) {
    const auto is_below = [&](const std::string &other) { return other.starts_with(key + "."); };
    const bool is_section = std::any_of(known.begin(), known.end(), is_below);
    const bool is_shown = text.find(" " + key.substr(key.rfind('.') + 1) + ":") != std::string::npos;
    if (!is_section && is_shown) keys.insert(key);
  }
  return keys;
}

// What stands between the quotation marks of every TEST_CASE.
std::set<std::string> names_of_test_cases() {
  constexpr std::string_view begin = "TEST_CASE(";
  std::set<std::string> names;
  for (const auto &file : std::filesystem::recursive_directory_iterator{IPTRACKD_TESTS}) {
    if (!file.path().filename().string().ends_with("_test.cpp")) continue;
    const auto text = content_of(file.path());
    for (auto at = text.find(begin); at != std::string::npos; at = text.find(begin, at + 1)) {
      const auto open = text.find('"', at);
      if (open == std::string::npos) break;
      names.insert(text.substr(open + 1, text.find('"', open + 1) - open - 1));
    }
  }
  return names;
}

}  // namespace

TEST_CASE("every key of the template has a test that shows its effect") {
  std::set<std::string> shown;
  for (const auto &effect : effects) shown.emplace(effect.key);
  CHECK(shown.size() == effects.size());
  const auto keys = keys_with_a_value();
  CHECK(keys.size() > 45);
  for (const auto &key : keys) {
    CAPTURE(key);
    CHECK(shown.contains(key));
  }
  for (const auto &key : shown) {
    CAPTURE(key);
    CHECK(keys.contains(key));
  }
}

TEST_CASE("every test that is said to show the effect of a key exists") {
  const auto names = names_of_test_cases();
  for (const auto &effect : effects) {
    CAPTURE(std::string{effect.key});
    CAPTURE(std::string{effect.shown_by});
    CHECK(names.contains(std::string{effect.shown_by}));
  }
}
