#include <doctest/doctest.h>

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
  CHECK(error_of("whitelist: {network: [sshd]}") ==
        "c.yml:1:23: whitelist.network holds the rule 'sshd'; begin it with an absolute path, or * for any "
        "program");
  CHECK(error_of("whitelist: {network: \"/a,,/b\"}") ==
        "c.yml:1:22: whitelist.network holds an empty rule; remove it or the comma beside it");
  CHECK(error_of("whitelist: {network: [\"\", /b]}").find("an empty rule") != std::string::npos);
  CHECK(error_of("whitelist: {exec: [[/a]]}").find("something that is no text") != std::string::npos);
  CHECK(error_of("whitelist: {exec: [~]}").find("something that is no text") != std::string::npos);
  CHECK(error_of("whitelist: {exec: {a: b}}").find("is a mapping") != std::string::npos);
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
