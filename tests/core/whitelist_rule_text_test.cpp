// The way from a rule to its text and back, with random rules: those that people write, and those that
// anybody may have put into the kernel's maps.
#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/rule_laws.h"
#include "core/whitelist_rule.h"

using namespace iptrackd;
using namespace iptrackd::test;

namespace {

class Dice {
 public:
  // 0 to SIDES - 1.
  std::uint32_t roll(std::uint32_t sides) {
    return std::uniform_int_distribution<std::uint32_t>{0, sides - 1}(engine_);
  }
  bool coin() { return roll(2) == 0; }
  template <typename T, std::size_t size>
  T one_of(const std::array<T, size> &values) {
    return values.at(roll(size));
  }
  template <typename Struct>
  void scribble(Struct &out) {
    for (auto &byte : std::span{reinterpret_cast<unsigned char *>(&out), sizeof(out)})
      byte = static_cast<unsigned char>(coin() ? 0 : roll(256));
  }
  void shuffle(std::vector<std::string> &fields) { std::shuffle(fields.begin(), fields.end(), engine_); }

 private:
  std::mt19937 engine_{6};
};

struct Written {
  WhitelistRule rule;
  std::vector<std::string> fields;
};

// A field that says the same with or without brackets.
void add_field(Dice &dice, Written &out, unsigned asks, const std::string &name, const std::string &value) {
  out.rule.network.asks |= static_cast<std::uint8_t>(asks);
  out.fields.push_back(dice.coin() ? name + '<' + value + '>' : name + value);
}

void add_ports(Dice &dice, Written &out, unsigned asks, const std::string &name,
               std::pair<std::uint16_t &, std::uint16_t &> ports) {
  ports.first = static_cast<std::uint16_t>(1 + dice.roll(65535));
  ports.second =
      static_cast<std::uint16_t>(dice.coin() ? ports.first : ports.first + dice.roll(65536U - ports.first));
  const auto low = std::to_string(ports.first);
  const bool single = ports.first == ports.second && dice.coin();
  add_field(dice, out, asks, name, single ? low : low + '-' + std::to_string(ports.second));
}

void add_remote(Dice &dice, Written &out) {
  auto &rule = out.rule.network;
  const bool ipv4 = dice.coin();
  const bool mapped = ipv4 && dice.coin();
  const unsigned all = ipv4 ? 32 : 128;
  const unsigned bits = dice.coin() ? all : dice.roll(all + 1);
  std::array<std::uint8_t, 16> address{};
  for (std::size_t i = 0; i < all / 8; ++i) address.at(i) = static_cast<std::uint8_t>(dice.roll(256));
  if (!ipv4) address[0] = 0x20;
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(ipv4 ? AF_INET : AF_INET6, address.data(), text.data(), text.size());
  rule.family = ipv4 ? AF_INET : AF_INET6;
  for (unsigned bit = 0; bit < bits; ++bit)
    rule.remote_mask[bit / 8] |= static_cast<std::uint8_t>(0x80U >> bit % 8);
  for (std::size_t i = 0; i < address.size(); ++i) rule.remote[i] = address.at(i) & rule.remote_mask[i];
  const bool bare = bits == all && dice.coin();
  add_field(dice, out, IPTRACKD_RULE_REMOTE, "i",
            (mapped ? "::ffff:" : "") + std::string{text.data()} +
                (bare ? "" : '/' + std::to_string(bits + (mapped ? 96 : 0))));
}

void add_kinds(Dice &dice, Written &out) {
  constexpr std::array<const char *, 4> names{"connect", "accept", "bind", "close"};
  const auto chosen = 1 + dice.roll(15);
  std::string value;
  for (std::size_t i = names.size(); i-- > 0;)  // not the canonical order
    if ((chosen >> i & 1U) != 0) value += (value.empty() ? "" : ",") + std::string{names.at(i)};
  out.rule.network.kinds = static_cast<std::uint8_t>(chosen << IPTRACKD_KIND_CONNECT);
  add_field(dice, out, IPTRACKD_RULE_KINDS, "k", value);
}

// A rule, and one of the many ways to write it.
std::pair<WhitelistRule, std::string> random_network_rule(Dice &dice) {
  constexpr std::array<const char *, 4> programs{"*", "/usr/sbin/sshd", "/", "/with a space, <and> more"};
  Written out;
  out.rule.program = dice.one_of(programs);
  if (out.rule.program == "/") out.rule.program += std::string(1 + dice.roll(4094), 'x');
  auto &rule = out.rule.network;
  if (dice.coin()) add_remote(dice, out);
  if (dice.coin())
    add_ports(dice, out, IPTRACKD_RULE_SERVICE_PORT, "p", {rule.service_port_low, rule.service_port_high});
  if (dice.coin())
    add_ports(dice, out, IPTRACKD_RULE_REMOTE_PORT, "rp", {rule.remote_port_low, rule.remote_port_high});
  if (dice.coin())
    add_ports(dice, out, IPTRACKD_RULE_LOCAL_PORT, "lp", {rule.local_port_low, rule.local_port_high});
  if (dice.coin()) {
    rule.uid = dice.coin() ? dice.roll(2000) : dice.roll(0xffffffff);
    add_field(dice, out, IPTRACKD_RULE_UID, "u", std::to_string(rule.uid));
  }
  if (dice.coin()) add_kinds(dice, out);
  dice.shuffle(out.fields);
  std::string text = out.rule.program;
  for (const auto &field : out.fields) text += '|' + field;
  return {out.rule, text};
}

std::pair<WhitelistRule, std::string> random_exec_rule(Dice &dice) {
  constexpr std::array<const char *, 7> words{"-l", "/tmp", "u<5>", "u<", "|", "a|b", "\xff"};
  WhitelistRule rule{RuleList::exec, "/usr/bin/ls", {}, {}};
  std::string text = rule.program;
  if (dice.coin()) {
    rule.exec.uid = dice.roll(70000);
    rule.exec.asks |= IPTRACKD_RULE_UID;
    text += "|u<" + std::to_string(rule.exec.uid) + '>';
  }
  std::string arguments;
  std::string prefix;
  for (auto count = dice.roll(5); count > 0; --count) {
    const std::string word = dice.one_of(words);
    prefix += std::string(1 + dice.roll(2), ' ') + word;
    arguments += word + '\0';
  }
  if (!arguments.empty()) {
    text += '|' + prefix;
    rule.exec.asks |= IPTRACKD_RULE_ARGUMENTS;
    rule.exec.arguments_size = static_cast<std::uint16_t>(arguments.size());
    std::copy(arguments.begin(), arguments.end(), &rule.exec.arguments[0]);
  }
  return {rule, text};
}

iptrackd_exec_rule exec_rule(std::string_view arguments) {
  iptrackd_exec_rule rule{};
  rule.asks = IPTRACKD_RULE_ARGUMENTS;
  rule.arguments_size = static_cast<std::uint16_t>(arguments.size());
  std::copy_n(arguments.begin(), std::min<std::size_t>(arguments.size(), IPTRACKD_RULE_ARGUMENTS_SIZE),
              &rule.arguments[0]);
  return rule;
}

}  // namespace

TEST_CASE("a rule, however it is written, is what it says, and its text gives it again") {
  Dice dice;
  for (int i = 0; i < 20'000; ++i) {
    const auto written = dice.coin() ? random_network_rule(dice) : random_exec_rule(dice);
    const auto &rule = written.first;
    const std::string &text = written.second;
    CAPTURE(text);
    const auto read = WhitelistRule::parse(rule.list, text);
    REQUIRE(read);
    REQUIRE(same(*read, rule));
    REQUIRE(broken_law_of_text(rule.list, text).empty());
    // Canonical: two ways to write a rule have one text, which is the shortest of them but for its brackets.
    REQUIRE(read->text() == rule.text());
  }
}

TEST_CASE("what anybody put into the kernel has a text that says what it does, or one that is no rule") {
  Dice dice;
  int read = 0;
  int dropped = 0;
  for (int i = 0; i < 50'000; ++i) {
    auto rule = random_network_rule(dice).first.network;
    if (dice.coin()) {
      iptrackd_network_rule scribbled;
      dice.scribble(scribbled);
      scribbled.family = dice.coin() ? rule.family : scribbled.family;
      if (dice.coin()) std::copy_n(&rule.remote_mask[0], 16, &scribbled.remote_mask[0]);
      rule = scribbled;
    }
    iptrackd_network_question question;
    dice.scribble(question);
    question.family = rule.family;
    if (dice.coin()) std::copy_n(&rule.remote[0], 16, &question.remote[0]);
    if (dice.coin()) question.uid = rule.uid;
    if (dice.coin()) question.service_port = rule.service_port_low;
    make_askable(question);
    CAPTURE(rule_text("/a", rule));
    REQUIRE(broken_law_of_kernel("/a", rule, question) == "");
    read += WhitelistRule::parse(RuleList::network, rule_text("/a", rule)).has_value() ? 1 : 0;
    dropped += iptrackd_network_rule_unmet(&rule, &question) == 0 ? 1 : 0;
  }
  CHECK(read > 10'000);
  CHECK(dropped > 1'000);
}

TEST_CASE("the same of exec rules") {
  Dice dice;
  int read = 0;
  for (int i = 0; i < 50'000; ++i) {
    constexpr std::array<char, 6> bytes{'\0', ' ', 'u', '<', '>', 'x'};
    std::string arguments(dice.roll(7), '\0');
    for (auto &byte : arguments) byte = dice.one_of(bytes);
    auto rule = exec_rule(arguments);
    if (dice.coin()) rule.arguments_size = static_cast<std::uint16_t>(dice.roll(300));
    rule.asks = static_cast<std::uint8_t>(dice.roll(256));
    iptrackd_exec_question question{};
    question.uid = 1 + dice.roll(2);
    rule.uid = 1 + dice.roll(2);
    question.arguments_size = dice.roll(300);
    std::copy_n(&rule.arguments[0], dice.roll(8), &question.arguments[0]);
    CAPTURE(rule_text("/a", rule));
    REQUIRE(broken_law_of_kernel("/a", rule, question) == "");
    read += WhitelistRule::parse(RuleList::exec, rule_text("/a", rule)).has_value() ? 1 : 0;
  }
  CHECK(read > 10'000);
}

TEST_CASE("what the language has no words for is shown and cannot be read") {
  const auto text_of = [](std::string_view arguments) { return rule_text("/a", exec_rule(arguments)); };
  using namespace std::string_view_literals;
  CHECK(text_of("-l\0"sv) == "/a|-l");
  CHECK(text_of(""sv) == "/a");
  CHECK(text_of("u<7>\0"sv) == "/a| u<7>");
  CHECK(text_of("-l"sv) == "/a|\0-l"sv);
  CHECK(text_of("a b\0"sv) == "/a|\0a b\0"sv);
  CHECK(text_of("\0a\0"sv) == "/a|\0\0a\0"sv);
  CHECK(text_of("a\nb\0"sv) == "/a|\0a\nb\0"sv);
  CHECK(text_of(std::string(300, 'x')) == "/a|" + std::string(1, '\0') + std::string(240, 'x'));
  auto longer = exec_rule(std::string(239, 'x') + '\0');
  CHECK(WhitelistRule::parse(RuleList::exec, rule_text("/a", longer)));
  longer.arguments_size = 241;
  CHECK_FALSE(WhitelistRule::parse(RuleList::exec, rule_text("/a", longer)));
  CHECK(rule_text("/a|b", exec_rule("x\0"sv)) == "\0/a|b|x"sv);
  CHECK(rule_text("", exec_rule("x\0"sv)) == "|x");

  iptrackd_network_rule rule{};
  rule.asks = IPTRACKD_RULE_UID | IPTRACKD_RULE_KINDS | IPTRACKD_RULE_SERVICE_PORT;
  rule.uid = 4294967295;
  rule.kinds = 0x43;
  rule.service_port_low = 9;
  CHECK(rule_text("/a", rule) == "/a|p<9-0>|u<4294967295>|k<exec,connect,6>");
  rule.asks = IPTRACKD_RULE_KINDS;
  CHECK_FALSE(WhitelistRule::parse(RuleList::network, rule_text("/a", rule)));
  rule.kinds = 0;
  CHECK(rule_text("/a", rule) == "/a|k<>");
  CHECK_FALSE(WhitelistRule::parse(RuleList::network, "/a|k<>"));
}

TEST_CASE("a remote end that is no network is shown byte by byte") {
  using Bytes = std::vector<std::uint8_t>;
  const auto text_of = [](int family, const Bytes &remote, const Bytes &mask) {
    iptrackd_network_rule rule{};
    rule.asks = IPTRACKD_RULE_REMOTE;
    rule.family = static_cast<std::uint8_t>(family);
    std::copy(remote.begin(), remote.end(), &rule.remote[0]);
    std::copy(mask.begin(), mask.end(), &rule.remote_mask[0]);
    const auto text = rule_text("/a", rule);
    CHECK(WhitelistRule::parse(RuleList::network, text).has_value() ==
          (text.find("family") == std::string::npos));
    return text;
  };
  const std::string zeros(24, '0');
  CHECK(text_of(AF_INET, {10}, {255}) == "/a|i<10.0.0.0/8>");
  CHECK(text_of(AF_INET, {10, 1}, {255, 0}) == "/a|i<10.0.0.0/8>");
  CHECK(text_of(AF_INET, {10}, {0xf5}) == "/a|i<family 2 0a000000" + zeros + "/f5000000" + zeros + ">");
  CHECK(text_of(AF_INET, {0, 9}, {0, 255}).starts_with("/a|i<family 2 00090000"));
  CHECK(text_of(AF_INET, {10, 0, 0, 0, 7}, {255, 0, 0, 0, 0}) == "/a|i<10.0.0.0/8>");
  CHECK(text_of(AF_INET, {10, 0, 0, 0, 7}, {255, 0, 0, 0, 1}).starts_with("/a|i<family 2 0a00"));
  CHECK(text_of(7, {10}, {255}).starts_with("/a|i<family 7 0a00"));
  Bytes mapped(10, 0);
  mapped.insert(mapped.end(), {255, 255, 10, 0, 0, 1});
  CHECK(text_of(AF_INET6, mapped, Bytes(16, 255)).starts_with("/a|i<family 10 0000"));
  CHECK(text_of(AF_INET6, {}, {}) == "/a|i<::/0>");
}
