// Whitelist: what the scenarios ask of a daemon's whitelist, by the verb and by the control socket.
#ifndef IPTRACKD_TESTS_SCENARIOS_WHITELIST_H
#define IPTRACKD_TESTS_SCENARIOS_WHITELIST_H

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "daemon.h"
#include "deed.h"

namespace iptrackd::scenario {

// The configuration of a daemon whose exec rules hold for root too, and whose rows come soon.
inline constexpr const char *whitelist_of_all = "whitelist: {include-root: true}\n";
[[nodiscard]] DaemonOptions whitelist_options(const std::string &whitelist = whitelist_of_all);

class Whitelist {
 public:
  explicit Whitelist(const Daemon &daemon) : prepared_{daemon.prepared()} {}

  // iptrackd whitelist WORDS[0] --config FILE WORDS[1]...
  [[nodiscard]] Ended verb(const Words &words) const;
  // The same, which must succeed; returns what it printed.
  std::string must(const Words &words) const;

  // The rules in force, as list --json has them.
  [[nodiscard]] std::vector<Json> rules() const;
  // Their texts in the order of list, those of LIST.
  [[nodiscard]] std::vector<std::string> texts(std::string_view list) const;
  // How often the one rule of LIST that begins with PROGRAM and a | has matched. Throws where there is no
  // such rule.
  [[nodiscard]] std::int64_t hits(std::string_view list, const Path &program) const;
  // How many files the rules with PROGRAM stand for.
  [[nodiscard]] std::size_t files(const Path &program) const;

  // Through the control socket. The whole answer, '+' or '-' in front; "" where none comes.
  [[nodiscard]] std::string answer(const Json &request) const;
  // What is behind the '+'; throws where the daemon refuses.
  Json ask(const Json &request) const;

  // The changes that the daemon has told of by rows, in the order of time: "ts" as they have it, "detail".
  [[nodiscard]] std::vector<Json> changes() const;

 private:
  Prepared prepared_;
};

// `status --json` of the daemon: the counters of KIND.
[[nodiscard]] Json counters(const Daemon &daemon, const std::string &kind);

// One daemon for all cases of a program: with an empty whitelist each time it is asked for.
[[nodiscard]] Daemon &whitelist_daemon();

enum class Outcome { stored, dropped, mixed };
[[nodiscard]] doctest::String toString(Outcome outcome);

// Did the daemon store what LAUNCH did, all of it, or nothing? The oracle's rows are told by their kinds
// alone: what is in them others compare.
[[nodiscard]] Outcome outcome_of(Rows &rows, const Launch &launch);
// The same of an oracle that has ended, since SINCE.
[[nodiscard]] Outcome outcome_of(Rows &rows, const std::string &report, std::int64_t since);

// PROGRAM, a copy of the oracle, as a service and its client over TCP.
[[nodiscard]] Launch deed_of(const Path &program);

// In DIRECTORY, which everybody may enter.
[[nodiscard]] Path copy_of_oracle(const Path &directory, const std::string &name);

[[nodiscard]] bool has_program(const std::string &name);

}  // namespace iptrackd::scenario

#endif
