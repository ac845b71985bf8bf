#include "whitelist.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <doctest/doctest.h>
#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>

namespace iptrackd::scenario {
namespace {

// An answer to a hundred thousand questions.
constexpr std::size_t longest_answer = 64U << 20;

std::string exchange(const Path &socket_path, const std::string &line) {
  const Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  socket_path.string().copy(name.sun_path, sizeof(name.sun_path) - 1);
  if (!socket || connect(socket.get(), reinterpret_cast<sockaddr *>(&name), sizeof(name)) != 0)
    throw std::runtime_error{"no daemon listens at " + socket_path.string()};
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t count = send(socket.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    // Whoever refuses a line need not read all of it.
    if (count <= 0) break;
    sent += static_cast<std::size_t>(count);
  }
  std::string answer;
  std::array<char, 65536> part{};
  while (answer.size() < longest_answer) {
    const ssize_t count = recv(socket.get(), part.data(), part.size(), 0);
    if (count <= 0) break;
    answer.append(part.data(), static_cast<std::size_t>(count));
  }
  return answer;
}

std::vector<Json> changes_in_file(const Path &jsonl) {
  std::vector<Json> found;
  std::ifstream file{jsonl};
  for (std::string line; std::getline(file, line) && !file.eof();) {
    const Json row = Json::parse(line);
    if (row.contains("host_event") && row.at("host_event").at("kind") == "whitelist")
      found.push_back(row.at("host_event"));
  }
  return found;
}

std::map<std::string, int> kinds_of(const std::vector<Json> &rows) {
  std::map<std::string, int> kinds;
  for (const Json &row : rows) ++kinds[row.at("kind").get<std::string>()];
  return kinds;
}

}  // namespace

DaemonOptions whitelist_options(const std::string &whitelist) {
  DaemonOptions options;
  options.drop_in = whitelist + "database: {batch: {linger-ms: 5}}\n";
  return options;
}

Ended Whitelist::verb(const Words &words) const {
  Launch launch;
  launch.arguments = {settings().daemon.string(), "whitelist", words.at(0), "--config",
                      prepared_.configuration.string()};
  launch.arguments.insert(launch.arguments.end(), words.begin() + 1, words.end());
  return run(launch);
}

std::string Whitelist::must(const Words &words) const {
  const Ended ended = verb(words);
  if (ended.status != 0)
    throw std::runtime_error{"whitelist " + words.at(0) + " ended with " + std::to_string(ended.status) +
                             ": " + ended.out + ended.err};
  return ended.out;
}

std::vector<Json> Whitelist::rules() const {
  return Json::parse(must({"list", "--json"})).at("rules").get<std::vector<Json>>();
}

std::vector<std::string> Whitelist::texts(std::string_view list) const {
  std::vector<std::string> found;
  for (const Json &rule : rules())
    if (rule.at("list") == list) found.push_back(rule.at("rule"));
  return found;
}

std::int64_t Whitelist::hits(std::string_view list, const Path &program) const {
  for (const Json &rule : rules()) {
    const auto text = rule.at("rule").get<std::string>();
    if (rule.at("list") == list && text.substr(0, text.find('|')) == program.string()) return rule.at("hits");
  }
  throw std::runtime_error{"no rule of " + program.string()};
}

std::size_t Whitelist::files(const Path &program) const {
  for (const Json &rule : rules()) {
    const auto text = rule.at("rule").get<std::string>();
    if (text.substr(0, text.find('|')) == program.string()) return rule.at("files").size();
  }
  return 0;
}

std::string Whitelist::answer(const Json &request) const {
  return exchange(prepared_.configuration.parent_path() / "control.sock",
                  "whitelist " + request.dump() + "\n");
}

Json Whitelist::ask(const Json &request) const {
  const std::string text = answer(request);
  if (!text.starts_with('+')) throw std::runtime_error{"the daemon refuses: " + text.substr(0, 2000)};
  return text.size() == 1 ? Json{} : Json::parse(text.substr(1), nullptr, false);
}

std::vector<Json> Whitelist::changes() const {
  if (!prepared_.connection) return changes_in_file(prepared_.jsonl);
  const std::string rows = execute(*prepared_.connection,
                                   "SELECT coalesce(json_agg(e ORDER BY ts), '[]') FROM iptrackd.host_event "
                                   "AS e WHERE kind = 'whitelist'");
  return Json::parse(rows).get<std::vector<Json>>();
}

Json counters(const Daemon &daemon, const std::string &kind) {
  Launch launch = daemon_launch("status", daemon.prepared().configuration);
  launch.arguments.emplace_back("--json");
  const Ended ended = run(launch);
  if (ended.status != 0) throw std::runtime_error{"status: " + ended.err};
  return Json::parse(ended.out).at("kernel").at(kind);
}

Daemon &whitelist_daemon() {
  static Daemon daemon{whitelist_options()};
  Whitelist{daemon}.must({"clear"});
  return daemon;
}

doctest::String toString(Outcome outcome) {
  if (outcome == Outcome::mixed) return "mixed";
  return outcome == Outcome::stored ? "stored" : "dropped";
}

Outcome outcome_of(Rows &rows, const std::string &report, std::int64_t since) {
  const auto facts = Json::parse(report).at("events").get<Facts>();
  std::set<int> pids;
  for (const Json &fact : facts) pids.insert(fact.at("pid").get<int>());
  wait_for_rows(rows);
  const auto found = rows.of_processes(pids, since);
  if (found.empty()) return Outcome::dropped;
  if (kinds_of(found) == kinds_of(facts)) return Outcome::stored;
  return Outcome::mixed;
}

Outcome outcome_of(Rows &rows, const Launch &launch) {
  const std::int64_t since = now_us();
  const Ended ended = run(launch);
  if (ended.status != 0)
    throw std::runtime_error{"the oracle failed (" + std::to_string(ended.status) + "): " + ended.err};
  return outcome_of(rows, ended.out, since);
}

Launch deed_of(const Path &program) {
  Launch launch;
  launch.arguments = {program.string(), "service"};
  return launch;
}

Path copy_of_oracle(const Path &directory, const std::string &name) {
  std::filesystem::permissions(directory, std::filesystem::perms{0755});
  Path copy = directory / name;
  std::filesystem::copy_file(oracle_path(), copy);
  return copy;
}

bool has_program(const std::string &name) {
  Launch launch;
  launch.arguments = {"/bin/sh", "-c", "command -v " + name};
  return run(launch).status == 0;
}

}  // namespace iptrackd::scenario
