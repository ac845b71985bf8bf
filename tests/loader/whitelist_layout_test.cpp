#include "loader/whitelist_layout.h"

#include <doctest/doctest.h>

#include <cstring>

namespace iptrackd::loader {
namespace {

constexpr iptrackd_program shell{11, 8, 1};
constexpr iptrackd_program newer_shell{12, 8, 1};
constexpr iptrackd_program curl{21, 8, 1};
const WhitelistFiles files{{"/bin/sh", {shell}}, {"/bin/curl", {curl}}};

WhitelistEntry entry_of(RuleList list, const std::string &text) {
  const auto rule = WhitelistRule::parse(list, text);
  if (!rule) FAIL(text, " is refused: ", rule.error().message);
  return {*rule};
}

WhitelistEntry network(const std::string &text) {
  return entry_of(RuleList::network, text);
}

WhitelistEntry exec(const std::string &text) {
  return entry_of(RuleList::exec, text);
}

// COUNT network rules of PROGRAM, for one port each.
std::vector<WhitelistEntry> rules_of_ports(const std::string &program, int count) {
  std::vector<WhitelistEntry> entries;
  for (int port = 1; port <= count; ++port)
    entries.push_back(network(program + "|p<" + std::to_string(port) + ">"));
  return entries;
}

// The number that ENTRY has under PROGRAM; -1: none. The rule must stand there, within reach of the hooks.
int number_of(const WhitelistLayout &layout, const WhitelistEntry &entry, const iptrackd_program &program) {
  const bool is_network = entry.rule.list == RuleList::network;
  for (const auto &[key, id] : is_network ? layout.network : layout.exec) {
    if (id != entry.id() || std::memcmp(&key.program, &program, sizeof(program)) != 0) continue;
    const auto &rules = layout.content.programs.at(program);
    CHECK(((is_network ? rules.network : rules.exec) >> key.number & 1U) == 1);
    CHECK((is_network ? layout.content.network.contains(key) : layout.content.exec.contains(key)));
    return static_cast<int>(key.number);
  }
  return -1;
}

std::vector<std::string> ids_of(const std::vector<WhitelistEntry> &entries) {
  std::vector<std::string> ids;
  for (const auto &entry : entries) ids.push_back(entry.id());
  return ids;
}

// What ENTRY is called when it is found in the maps under FILE.
std::string id_in_maps(WhitelistEntry entry, const iptrackd_program &file) {
  entry.file = file;
  return entry.id();
}

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("a rule keeps its number, and the lowest free one is given") {
  const auto first = network("/bin/sh|p<1>"), second = network("/bin/sh|p<2>"),
             third = network("/bin/sh|p<3>");
  const auto fourth = network("/bin/sh|p<4>"), fifth = network("/bin/sh|p<5>");
  const auto before = lay_out({first, second, third}, files, {});
  CHECK(number_of(before, first, shell) == 0);
  CHECK(number_of(before, second, shell) == 1);
  CHECK(number_of(before, third, shell) == 2);

  const auto after = lay_out({fourth, third, fifth, first}, files, before);
  CHECK(number_of(after, first, shell) == 0);
  CHECK(number_of(after, third, shell) == 2);
  CHECK(number_of(after, fourth, shell) == 1);
  CHECK(number_of(after, fifth, shell) == 3);
  CHECK(number_of(after, second, shell) == -1);
  CHECK(after.content.programs.at(shell).network == 0b1111);
  CHECK(after.without_room.empty());
}

TEST_CASE("network and exec rules and each program have numbers of their own") {
  const auto port = network("/bin/sh|p<1>"), of_curl = network("/bin/curl");
  const auto arguments = exec("/bin/sh|-c true"), user = exec("/bin/sh|u<7>");
  auto not_root = arguments;
  not_root.rule.exec.asks |= IPTRACKD_RULE_NOT_ROOT;
  const auto layout = lay_out({port, of_curl, arguments, user, not_root, arguments}, files, {});
  CHECK(number_of(layout, port, shell) == 0);
  CHECK(number_of(layout, of_curl, curl) == 0);
  CHECK(number_of(layout, arguments, shell) == 0);
  CHECK(number_of(layout, user, shell) == 1);
  CHECK(number_of(layout, not_root, shell) == 2);
  CHECK(layout.content.exec.size() == 3);  // what is there twice is laid out once
  CHECK(layout.content.network.begin()->second.hits == 0);
}

TEST_CASE("rules for any program stand under the program of zeros, those without a file nowhere") {
  const auto any = network("*|p<1>"), any_exec = exec("*|u<7>"), none = network("/no/such/program");
  const auto layout = lay_out({none, any, any_exec}, files, {});
  CHECK(number_of(layout, any, any_program) == 0);
  CHECK(number_of(layout, any_exec, any_program) == 0);
  CHECK(layout.content.programs.size() == 1);
  CHECK(layout.content.network.size() == 1);
  CHECK(layout.without_room.empty());
}

TEST_CASE("a rule that was found in the maps stands under its own file") {
  auto found = network("/bin/sh|p<1>");
  found.file = curl;
  const auto layout = lay_out({found, network("/bin/sh|p<1>")}, files, {});
  CHECK(number_of(layout, found, curl) == 0);
  CHECK(number_of(layout, found, shell) == -1);
  CHECK(number_of(layout, network("/bin/sh|p<1>"), shell) == 0);
}

TEST_CASE("the older and the newer file of a path both have its rules") {
  const auto first = network("/bin/sh|p<1>"), second = network("/bin/sh|p<2>");
  const auto before = lay_out({first, second}, files, {});
  const auto after = lay_out({second}, {{"/bin/sh", {newer_shell, shell}}}, before);
  CHECK(number_of(after, second, shell) == 1);
  CHECK(number_of(after, second, newer_shell) == 0);
  CHECK(after.content.programs.size() == 2);
}

TEST_CASE("two paths of one file share its numbers") {
  const WhitelistFiles links{{"/bin/sh", {shell}}, {"/bin/dash", {shell}}};
  const auto of_shell = rules_of_ports("/bin/sh", 40), of_dash = rules_of_ports("/bin/dash", 40);
  auto entries = of_shell;
  entries.insert(entries.end(), of_dash.begin(), of_dash.end());
  // Those that are there already come before those that are added, whatever their order.
  const auto layout = lay_out(entries, links, lay_out(of_dash, links, {}));
  CHECK(layout.content.network.size() == IPTRACKD_PROGRAM_RULES_MAX);
  CHECK(layout.content.programs.size() == 1);
  CHECK(layout.content.programs.at(shell).network == ~std::uint64_t{0});
  for (const auto &entry : of_dash) CHECK(number_of(layout, entry, shell) >= 0);
  const std::vector<WhitelistEntry> late{of_shell.begin() + 24, of_shell.end()};
  const auto without = ids_of(late);
  CHECK(layout.without_room == std::set<std::string>{without.begin(), without.end()});

  CHECK(lay_out(rules_of_ports("/bin/sh", 64), links, {}).without_room.empty());
}

TEST_CASE("a program has its path beside it where there is room for it") {
  const std::string longest = "/" + std::string(IPTRACKD_PROGRAM_PATH_SIZE - 2, 'a'), longer = longest + "a";
  const auto layout =
      lay_out({network(longest), exec(longer), exec("*")}, {{longest, {shell}}, {longer, {curl}}}, {});
  CHECK(std::string{layout.content.programs.at(shell).path} == longest);
  CHECK(std::string{layout.content.programs.at(curl).path}.empty());
  CHECK(std::string{layout.content.programs.at(any_program).path} == "*");
  CHECK(layout.content.programs.at(curl).exec == 1);
}

TEST_CASE("what stands as it was laid out does not differ, however often it has matched") {
  const auto layout = lay_out({network("/bin/sh|p<1>"), exec("/bin/curl"), network("*")}, files, {});
  auto found = layout.content;
  CHECK(compare(found, layout).empty());
  for (auto &[key, rule] : found.network) rule.hits = 7;
  for (auto &[key, rule] : found.exec) rule.hits = 8;
  CHECK(compare(found, layout).empty());
}

TEST_CASE("a rule that was added to the maps is seen once its bit is set") {
  const auto layout = lay_out({network("/bin/sh|p<1>")}, files, {});
  auto found = layout.content;
  const auto by_hand = network("/bin/sh|p<2>");
  auto &rule = found.network[{shell, 63, 0}] = by_hand.rule.network;
  rule.hits = 5;
  CHECK(compare(found, layout).empty());

  found.programs.at(shell).network |= std::uint64_t{1} << 63;
  const auto difference = compare(found, layout);
  CHECK(difference.removed.empty());
  REQUIRE(difference.added.size() == 1);
  const auto &added = difference.added.front();
  CHECK(added.id() == id_in_maps(by_hand, shell));
  CHECK(added.by_map);
  CHECK(added.rule.network.hits == 5);

  // The bits end at 63: what stands above is no rule.
  found = layout.content;
  found.network[{shell, 64, 0}] = by_hand.rule.network;
  CHECK(compare(found, layout).empty());
}

TEST_CASE("rules that were added under programs that had none") {
  const auto layout = lay_out({network("/bin/sh|p<1>")}, files, {});
  auto found = layout.content;
  const auto any = exec("*|u<7>"), of_curl = exec("/bin/curl|-s");
  found.exec[{any_program, 0, 0}] = any.rule.exec;
  found.exec[{curl, 3, 0}] = of_curl.rule.exec;
  CHECK(compare(found, layout).empty());
  found.programs[any_program].exec = 1;
  auto &program = found.programs[curl];
  program.exec = 0b1001;  // of number 0 there is only the bit
  of_curl.rule.program.copy(program.path, sizeof(program.path) - 1);
  const auto difference = compare(found, layout);
  CHECK(difference.removed.empty());
  CHECK(ids_of(difference.added) == Ids{id_in_maps(any, any_program), id_in_maps(of_curl, curl)});
}

TEST_CASE("what was taken out of the maps is missed") {
  const auto first = network("/bin/sh|p<1>"), second = network("/bin/sh|p<2>"), run = exec("/bin/sh");
  const auto other = exec("/bin/curl");
  const auto layout = lay_out({first, second, run, other}, files, {});

  auto without_rule = layout.content;
  without_rule.network.erase({shell, 1, 0});
  CHECK(compare(without_rule, layout).removed == Ids{second.id()});

  auto without_bit = layout.content;
  without_bit.programs.at(shell).network = 0b10;
  CHECK(compare(without_bit, layout).removed == Ids{first.id()});
  CHECK(compare(without_bit, layout).added.empty());

  auto without_program = layout.content;
  without_program.programs.erase(shell);
  CHECK(compare(without_program, layout).removed == Ids{first.id(), second.id(), run.id()});
  CHECK(compare(without_program, layout).added.empty());
}

TEST_CASE("a rule whose bytes were changed is another one in its place") {
  const auto network_rule = network("/bin/sh|p<1>"), exec_rule = exec("/bin/sh|-c true");
  const auto layout = lay_out({network_rule, exec_rule}, files, {});
  auto found = layout.content;
  const auto changed = network("/bin/sh|p<1-2>");
  found.network.at({shell, 0, 0}) = changed.rule.network;
  auto difference = compare(found, layout);
  CHECK(difference.removed == Ids{network_rule.id()});
  CHECK(ids_of(difference.added) == Ids{id_in_maps(changed, shell)});

  found = layout.content;
  found.exec.at({shell, 0, 0}).arguments[8] = 'x';  // beyond what is compared with an event
  difference = compare(found, layout);
  CHECK(difference.removed == Ids{exec_rule.id()});
  CHECK(difference.added.size() == 1);
}

}  // namespace iptrackd::loader
