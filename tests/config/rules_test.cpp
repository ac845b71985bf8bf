#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "config/support.h"

using namespace iptrackd::config;
using iptrackd::config::test::error_of;
using iptrackd::config::test::loaded;

namespace {
std::vector<std::string> texts(const std::vector<Rule> &rules) {
  std::vector<std::string> out;
  for (const auto &rule : rules) out.push_back(rule.text);
  return out;
}
using Texts = std::vector<std::string>;
}  // namespace

TEST_CASE("a list of rules may be YAML or one string with commas") {
  const Texts expected{"/usr/sbin/sshd|i<127.0.0.1>|p<22>", "*|k<connect,close>|u<0>", "/bin/x"};
  CHECK(texts(loaded("whitelist:\n  network:\n  - /usr/sbin/sshd|i<127.0.0.1>|p<22>\n  - "
                     "\"*|k<connect,close>|u<0>\"\n"
                     "  - /bin/x\n")
                  .whitelist.network) == expected);
  CHECK(
      texts(loaded(
                "whitelist: {network: \"/usr/sbin/sshd|i<127.0.0.1>|p<22>, *|k<connect,close>|u<0>,/bin/x\"}")
                .whitelist.network) == expected);
  CHECK(texts(loaded("whitelist: {exec: \"/bin/ls|-l <a,/bin/cat\"}").whitelist.exec) ==
        Texts{"/bin/ls|-l <a", "/bin/cat"});
  CHECK(texts(loaded("whitelist: {exec: [\"/bin/ls|-l a,b\"]}").whitelist.exec) == Texts{"/bin/ls|-l a,b"});
  CHECK(loaded("whitelist: {network: \"\", exec: []}").whitelist == Whitelist{});
}

TEST_CASE("each rule knows where it stands") {
  const auto rules = loaded("whitelist:\n  exec:\n    - /a\n    - /b\n").whitelist.exec;
  REQUIRE(rules.size() == 2);
  CHECK(rules[1].at.line == 4);
  CHECK(rules[1].at.column == 7);
}

TEST_CASE("rules that cannot be any are refused") {
  CHECK(
      error_of("whitelist: {network: [sshd]}") ==
      "c.yml:1:23: whitelist.network holds the rule 'sshd': at its character 1: 'sshd' is no absolute path; "
      "begin with a slash, or write * for any program");
  CHECK(error_of("whitelist:\n  network:\n    - /a|p<22>\n    - \" /a|i<10.0.0.0/33> \"\n") ==
        "c.yml:4:7: whitelist.network holds the rule '/a|i<10.0.0.0/33>': at its character 15: '33' is no "
        "prefix of this address; write a whole number from 0 to 32");
  CHECK(error_of("whitelist: {exec: \"/a|-l, /b|\"}") ==
        "c.yml:1:19: whitelist.exec holds the rule '/b|': at its character 4: the arguments are missing; "
        "write them, or remove the |");
  CHECK(error_of("whitelist: {exec: [\"/a|\\e[1m\"]}").find("'\\x1b' is a control character") !=
        std::string::npos);
  CHECK(error_of("whitelist: {network: \"/a,,/b\"}") ==
        "c.yml:1:22: whitelist.network holds an empty rule; remove it or the comma beside it");
  CHECK(error_of("whitelist: {network: [\"\", /b]}").find("an empty rule") != std::string::npos);
  CHECK(error_of("whitelist: {exec: [[/a]]}").find("something that is no text") != std::string::npos);
  CHECK(error_of("whitelist: {exec: [~]}").find("something that is no text") != std::string::npos);
  CHECK(error_of("whitelist: {exec: {a: b}}") ==
        "c.yml:1:19: whitelist.exec is a mapping; write a list of rules, or rules with commas in between");
}

TEST_CASE("a rule stands once in a list, however it is written") {
  CHECK(
      error_of(
          "whitelist:\n  network:\n    - /a|p<22>|i<10.0.0.0/8>\n    - /b\n    - /a|i10.1.2.3/8|p22-22\n") ==
      "c.yml:5:7: whitelist.network holds the rule '/a|i10.1.2.3/8|p22-22', which stands at c.yml:3:7 "
      "already; remove one of them");
  CHECK(error_of("whitelist: {exec: \"/a|-l,/a|-l\"}").find("already") != std::string::npos);
  CHECK(error_of("whitelist: {network: [/a], exec: [/a]}").empty());
}

TEST_CASE("a program has as many rules as the kernel has room for") {
  const auto with = [](int count) {
    std::string text = "whitelist:\n  network:\n    - /b\n";
    for (int port = 1; port <= count; ++port) text += "    - /a|p<" + std::to_string(port) + ">\n";
    return error_of(text);
  };
  CHECK(with(64).empty());
  const std::string expected =
      "c.yml:68:7: whitelist.network holds more than 64 rules of '/a'; join some of them into wider ones";
  CHECK(with(65) == expected);
  CHECK(with(70) == expected);
}

TEST_CASE("of a million mistakes the first are told") {
  CHECK(error_of("whitelist: {network: \"" + std::string(1'000'000, ',') + "\"}") ==
        "c.yml:1:22: whitelist.network holds 1000001 empty rules; remove them or the commas beside them");
  std::string text = "whitelist:\n  exec:\n";
  for (int i = 0; i < 50'000; ++i) text += "    - x\n";
  const auto message = error_of(text);
  CHECK(std::count(message.begin(), message.end(), '\n') == 10);
  CHECK(message.find("c.yml:12:7: whitelist.exec holds the rule 'x': ") != std::string::npos);
  CHECK(message.ends_with(
      "c.yml:13:7: whitelist.exec holds 49990 more that are wrong; mend those above first"));
}

TEST_CASE("ten thousand rules are read") {
  std::string text = "whitelist:\n  network:\n";
  for (int i = 0; i < 10'000; ++i)
    text += "    - /opt/" + std::to_string(i) +
            "|i<2001:db8::/32>|p<1-1023>|rp<22>|lp<80>|u<1000>|k<connect,close>\n";
  CHECK(loaded(text).whitelist.network.size() == 10'000);
}

TEST_CASE("redact: a list takes the place of the defaults") {
  CHECK_FALSE(Config{}.redact.empty());
  CHECK(loaded("redact: []").redact.empty());
  const auto rules =
      loaded("redact:\n- {exe: [a, /b/c], pattern: x}\n- {exe: \"d, *\", pattern: '^y$'}\n").redact;
  const std::vector<RedactRule> expected{
      {"a", "x", {}}, {"/b/c", "x", {}}, {"d", "^y$", {}}, {"*", "^y$", {}}};
  CHECK(rules == expected);
  CHECK(rules[0].at.line == 2);
  CHECK(rules[0].at.column == 29);
}

TEST_CASE("redact: bad rules") {
  CHECK(error_of("redact: [{exe: a}]") ==
        "c.yml:1:10: redact.pattern is missing; write a regular expression (RE2)");
  CHECK(error_of("redact: [{pattern: a}]") ==
        "c.yml:1:10: redact.exe is missing; write a program's name, or \"*\" for any");
  CHECK(error_of("redact: [{exe: bin/a, pattern: x}]") ==
        "c.yml:1:16: redact.exe is 'bin/a'; write a program's name, its absolute path, or * for any");
  for (const auto *wrong : {"redact: [{exe: [], pattern: x}]", "redact: [{exe: \"\", pattern: x}]",
                            "redact: [{exe: {a: b}, pattern: x}]", "redact: [{exe: [[a]], pattern: x}]",
                            "redact: [{exe: a, pattern: \"\"}]", "redact: [{exe: a, pattern: [x]}]",
                            "redact: [x]", "redact: x", "redact: {exe: a, pattern: x}"}) {
    CAPTURE(wrong);
    const auto message = error_of(wrong);
    CHECK_FALSE(message.empty());
    CHECK(message.find('\n') == std::string::npos);
  }
}
