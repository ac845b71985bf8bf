// A mass of rules and events: what the kernel says of each, by the code that the hooks run, against a naive
// reference.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "whitelist.h"
#include "whitelist_random.h"

namespace iptrackd::scenario {
namespace {

constexpr std::size_t queries_at_once = 5000;

struct Rules {
  std::vector<std::string> network;
  std::vector<std::string> exec;
};

// The text of a rule that drops DEED, or "" if none does.
std::string dropped_by(const Rules &rules, const WhitelistedDeed &deed) {
  for (const std::string &rule : rules.network)
    if (reference_drops_network(rule, deed)) return rule;
  for (const std::string &rule : rules.exec)
    if (reference_drops_exec(rule, deed, false)) return rule;
  return "";
}

// The rule that the daemon names drops the deed by the reference too, in whatever words it is written.
// Whether root is left alone stands in the expectation.
bool is_by_rule(const Json &verdict, const WhitelistedDeed &deed) {
  const auto rule = verdict.at("rule").get<std::string>();
  return verdict.at("list") == "exec" ? reference_drops_exec(rule, deed, true)
                                      : reference_drops_network(rule, deed);
}

struct Pair {
  WhitelistedDeed deed;
  std::string expected;  // the rule that drops it, if one does
};

struct Agreement {
  std::size_t dropped = 0;
  std::size_t wrong = 0;

  void compare(const Pair &pair, const Json &verdict) {
    const bool drops = verdict.at("dropped");
    dropped += drops ? 1 : 0;
    if (drops == !pair.expected.empty() && (!drops || is_by_rule(verdict, pair.deed))) return;
    if (++wrong <= 10)
      FAIL_CHECK(query_of(pair.deed).dump(), " expected '", pair.expected, "', got ", verdict.dump());
  }
};

void compare_all(const Whitelist &whitelist, const std::vector<Pair> &pairs, Agreement &agreement) {
  for (std::size_t begin = 0; begin < pairs.size(); begin += queries_at_once) {
    const std::size_t end = std::min(pairs.size(), begin + queries_at_once);
    Json queries = Json::array();
    for (std::size_t at = begin; at < end; ++at) queries.push_back(query_of(pairs[at].deed));
    const Json results = whitelist.ask({{"verb", "test"}, {"queries", std::move(queries)}}).at("results");
    REQUIRE(results.size() == end - begin);
    for (std::size_t at = begin; at < end; ++at) agreement.compare(pairs[at], results.at(at - begin));
  }
}

// Fewer where they are judged by an emulated machine.
std::size_t pair_count() {
  const char *value = std::getenv("IPTRACKD_TEST_PAIRS");
  return value != nullptr ? std::strtoull(value, nullptr, 10) : 100'000;
}

std::vector<Path> make_programs(const Path &directory, std::size_t count) {
  std::vector<Path> programs;
  for (std::size_t number = 0; number < count; ++number) {
    programs.push_back(directory / ("program-" + std::to_string(number)));
    write_file(programs.back(), "");
  }
  return programs;
}

void put_in_force(const Whitelist &whitelist, const Rules &rules) {
  whitelist.ask({{"verb", "replace"}, {"network", rules.network}, {"exec", rules.exec}});
}

// COUNT network rules of PROGRAM, no two of which mean the same: such are refused.
void add_rules(std::vector<std::string> &rules, WhitelistRandom &random, const Path &program,
               std::size_t count) {
  std::set<std::string> meanings;
  while (meanings.size() < count) {
    const std::string rule = random.network_rule(program);
    if (meanings.insert(reference_meaning(rule)).second) rules.push_back(rule);
  }
}

void report(const Agreement &agreement, std::size_t pairs) {
  MESSAGE(pairs, " pairs, of which the rules drop ", agreement.dropped);
  CHECK(agreement.wrong == 0);
  // Pairs that hardly ever, or nearly always, meet would show little.
  CHECK(agreement.dropped > pairs / 5);
  CHECK(agreement.dropped < pairs * 4 / 5);
}

}  // namespace

TEST_CASE("whitelist: a hundred thousand pairs of rule and event") {
  constexpr std::size_t rule_count = 2000;
  const std::size_t deeds_of_a_rule = pair_count() / rule_count;
  const Whitelist whitelist{whitelist_daemon()};
  const TemporaryDirectory directory;
  WhitelistRandom random{1};
  Rules rules;
  std::vector<Pair> pairs;
  for (const Path &program : make_programs(directory.path(), rule_count)) {
    const bool is_exec = random.below(4) == 0;
    const std::string rule = is_exec ? random.exec_rule(program) : random.network_rule(program);
    (is_exec ? rules.exec : rules.network).push_back(rule);
    for (std::size_t number = 0; number < deeds_of_a_rule; ++number) {
      const auto deed = is_exec ? random.exec_deed(program) : random.network_deed(program);
      const bool drops =
          is_exec ? reference_drops_exec(rule, deed, true) : reference_drops_network(rule, deed);
      pairs.push_back({deed, drops ? rule : ""});
    }
  }
  put_in_force(whitelist, rules);
  CHECK(whitelist.rules().size() == rule_count);
  Agreement agreement;
  compare_all(whitelist, pairs, agreement);
  report(agreement, pairs.size());
}

TEST_CASE("whitelist: many rules of one program and rules of any program") {
  const Daemon daemon{whitelist_options("")};
  const Whitelist whitelist{daemon};
  const TemporaryDirectory directory;
  WhitelistRandom random{2};
  const auto programs = make_programs(directory.path(), 20);
  Agreement agreement;
  std::size_t pairs_in_all = 0;
  for (std::size_t round = 0; round < pair_count() / 10'000; ++round) {
    Rules rules;
    std::vector<Pair> pairs;
    rules.network = {"*|i<192.0.2.9>|k<connect>", "*|i<2001:db8::>|p<22>|u<0>", "*|u<4294967294>|k<bind>"};
    rules.exec.emplace_back("*|u<1000>|--all");
    for (const Path &program : programs) {
      add_rules(rules.network, random, program, program == programs.front() ? 64 : random.below(3));
      if (random.below(2) == 0) rules.exec.push_back(random.exec_rule(program));
    }
    for (std::size_t number = 0; number < 2000; ++number) {
      const Path &program = programs.at(random.below(programs.size()));
      const auto deed = number % 4 == 0 ? random.exec_deed(program) : random.network_deed(program);
      pairs.push_back({deed, dropped_by(rules, deed)});
    }
    put_in_force(whitelist, rules);
    compare_all(whitelist, pairs, agreement);
    pairs_in_all += pairs.size();
  }
  report(agreement, pairs_in_all);
}

}  // namespace iptrackd::scenario
