// Random rules and deeds, whose values come from so few that many of them meet.
#ifndef IPTRACKD_TESTS_SCENARIOS_WHITELIST_RANDOM_H
#define IPTRACKD_TESTS_SCENARIOS_WHITELIST_RANDOM_H

#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "rows.h"
#include "whitelist_reference.h"

namespace iptrackd::scenario {

class WhitelistRandom {
 public:
  explicit WhitelistRandom(unsigned seed) : engine_{seed} {}

  // PROGRAM is a path, or "*".
  [[nodiscard]] std::string network_rule(const std::string &program);
  [[nodiscard]] std::string exec_rule(const std::string &program);
  [[nodiscard]] WhitelistedDeed network_deed(const std::string &program);
  [[nodiscard]] WhitelistedDeed exec_deed(const std::string &program);
  // Below BOUND.
  [[nodiscard]] std::size_t below(std::size_t bound);

 private:
  using Choices = std::vector<std::string>;
  [[nodiscard]] const std::string &one_of(const Choices &choices) {
    return choices.at(below(choices.size()));
  }
  [[nodiscard]] bool happens(unsigned percent) { return below(100) < percent; }
  [[nodiscard]] std::string field(const std::string &name, const std::string &value);
  [[nodiscard]] std::string kinds();
  [[nodiscard]] unsigned port();
  [[nodiscard]] unsigned user();

  std::mt19937 engine_;
};

// As the control socket takes it.
[[nodiscard]] Json query_of(const WhitelistedDeed &deed);

}  // namespace iptrackd::scenario

#endif
