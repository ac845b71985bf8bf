#include "loader/redactor.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using iptrackd::Event;
using iptrackd::Mark;
using iptrackd::loader::Redactor;
using namespace std::string_literals;

namespace {

using Rules = std::vector<Redactor::Rule>;

Redactor redactor(const Rules &rules) {
  auto made = Redactor::create(rules);
  REQUIRE_MESSAGE(made, (made ? "" : made.error().message()));
  return std::move(*made);
}

// ARGV with "|" between arguments, redacted; the same notation comes back.
std::string redacted(const Redactor &redactor, const std::string &exe, std::string argv) {
  for (char &c : argv) c = c == '|' ? '\0' : c;
  Event event;
  if (!exe.empty()) event.exe.assign(exe);
  event.args.assign(argv + '\0');
  const auto before = std::string{event.args.bytes()};
  const bool changed = redactor.apply(event);
  CHECK(changed == event.has(Mark::redacted));
  std::string out{event.args.bytes()};
  CHECK(changed == (out != before));
  REQUIRE(out.back() == '\0');
  out.pop_back();
  for (char &c : out) c = c == '\0' ? '|' : c;
  return out;
}

}  // namespace

TEST_CASE("an argument and the argument after it") {
  const auto both = redactor({{"*", R"(^-p\n?(.+)$)", ""}});
  CHECK(redacted(both, "/bin/x", "x|-p|secret|y") == "x|-p|***|y");
  CHECK(redacted(both, "/bin/x", "x|-psecret|y") == "x|-p***|y");
  CHECK(redacted(both, "/bin/x", "x|-p a b|-p|c d") == "x|-p***|-p|***");
  CHECK(redacted(both, "/bin/x", "x|y-psecret") == "x|y-psecret");
  CHECK(redacted(both, "/bin/x", "x|-p") == "x|-p");
  CHECK(redacted(both, "/bin/x", "x|-p|") == "x|-p|");
}

TEST_CASE("the length of a secret does not show") {
  const auto rule = redactor({{"*", "^-p(.+)$", ""}});
  CHECK(redacted(rule, "", "x|-pa") == redacted(rule, "", "x|-p" + std::string(3000, 'a')));
}

TEST_CASE("all groups are replaced, or the whole match without groups") {
  CHECK(redacted(redactor({{"*", "secret[0-9]+", ""}}), "", "x|a secret12 b secret3|c") == "x|a *** b ***|c");
  CHECK(redacted(redactor({{"*", "^u=(.*);p=(.*)$", ""}}), "", "u=ann;p=b") == "u=***;p=***");
  CHECK(redacted(redactor({{"*", "^-a(.+)$|^-b(.+)$", ""}}), "", "-ax|-by") == "-a***|-b***");
  // No group took part: the whole match.
  CHECK(redacted(redactor({{"*", "^(a)?b$", ""}}), "", "b|ab") == "***|***b");
  CHECK(redacted(redactor({{"*", "(?:x)y", ""}}), "", "xy") == "***");
}

TEST_CASE("overlapping and touching matches are one secret") {
  const auto rules = redactor({{"*", "abc", ""}, {"*", "bcd", ""}, {"*", "ef", ""}, {"*", "e", ""}});
  CHECK(redacted(rules, "", "abcd|xabcdef|fef") == "***|x***|f***");
  CHECK(redacted(redactor({{"*", "abcde", ""}, {"*", "bc", ""}}), "", "abcdef") == "***f");
}

TEST_CASE("the boundaries of arguments stay, whatever a group spans") {
  const auto rule = redactor({{"*", R"(^-p\n((?:.|\n)+)$)", ""}});
  CHECK(redacted(rule, "", "x|-p|a||b|c") == "x|-p|***||***|***");
  CHECK(redacted(redactor({{"*", R"([^x]+)", ""}}), "", "ax|bx||c") == "***x|***x||***");
  CHECK(redacted(redactor({{"*", R"(a.*b)", ""}}), "", "a1|2b") == "a1|2b");
}

TEST_CASE("empty matches replace nothing and come to an end") {
  for (const auto *pattern : {"", "x*", "^", "$", "()", R"(\b)"}) {
    CAPTURE(pattern);
    CHECK(redacted(redactor({{"*", pattern, ""}}), "", "a|b||c") == "a|b||c");
  }
}

TEST_CASE("a program is known by its executable, or by any argument that names it") {
  const auto rule = redactor({{"mysql", "^-p(.+)$", ""}});
  CHECK(redacted(rule, "/usr/bin/mysql", "mysql|-px") == "mysql|-p***");
  CHECK(redacted(rule, "/usr/bin/mysql", "liar|-px") == "liar|-p***");        // argv[0] lies
  CHECK(redacted(rule, "", "/opt/bin/mysql|-px") == "/opt/bin/mysql|-p***");  // exe unknown
  CHECK(redacted(rule, "/usr/bin/bash", "/usr/bin/mysql|-px") == "/usr/bin/mysql|-p***");
  CHECK(redacted(rule, "/usr/bin/sudo", "sudo|-pkept|mysql|-px") == "sudo|-pkept|mysql|-p***");
  CHECK(redacted(rule, "/usr/bin/bash", "-mysql|-px") == "-mysql|-p***");
  CHECK(redacted(rule, "/usr/bin/tar", "tar|-px") == "tar|-px");
  CHECK(redacted(rule, "/usr/bin/mysqlx", "mysqlx|-px|xmysql|-py") == "mysqlx|-px|xmysql|-py");
  CHECK(redacted(rule, "mysql", "mysql|-px") == "mysql|-p***");  // a failed exec's name, as asked for
}

TEST_CASE("a rule may name an absolute path") {
  const auto rule = redactor({{"/opt/tool", "^-p(.+)$", ""}});
  CHECK(redacted(rule, "/opt/tool", "x|-px") == "x|-p***");
  CHECK(redacted(rule, "/bin/sudo", "sudo|/opt/tool|-px") == "sudo|/opt/tool|-p***");
  CHECK(redacted(rule, "/usr/tool", "tool|-px") == "tool|-px");
}

TEST_CASE("a program's name is no pattern") {
  const auto rule = redactor({{"a.b+", "^-p(.+)$", ""}});
  CHECK(redacted(rule, "", "axbb|-px") == "axbb|-px");
  CHECK(redacted(rule, "", "a.b+|-px") == "a.b+|-p***");
}

TEST_CASE("rules of several programs and of all hold together") {
  const auto rules = redactor(
      {{"*", "token=(.+)", ""}, {"a", "^-p(.+)$", ""}, {"a", "^-q(.+)$", ""}, {"b", "^-p(.+)$", ""}});
  CHECK(redacted(rules, "/bin/a", "a|-px|-qy|token=z") == "a|-p***|-q***|token=***");
  CHECK(redacted(rules, "/bin/sudo", "sudo|b|-px|-qy") == "sudo|b|-p***|-qy");
}

TEST_CASE("arguments are bytes: invalid UTF-8, newlines, carriage returns and stars stay as they are") {
  const auto rule = redactor({{"*", "^-p(.+)$", ""}});
  CHECK(redacted(rule, "", "\xff\xfe|-p\xc3|\xe2\x82|a\nb\rc") == "\xff\xfe|-p***|\xe2\x82|a\nb\rc");
  CHECK(redacted(rule, "", "x|-pone\ntwo|-pthree") == "x|-p***|-p***");
  CHECK(redacted(redactor({{"*", "p=(\\S+)", ""}}), "", "sh|-c|p=x\ny") == "sh|-c|p=***\ny");
  CHECK(redacted(redactor({{"*", "a\\r(.+)", ""}}), "", "a\nb|a b") == "a\n***|a b");
  CHECK(redacted(redactor({{"*", "\xc3\xa9=(.+)", ""}}), "", "\xc3\xa9=x") == "\xc3\xa9=***");
}

TEST_CASE("every truncation of argv") {
  const auto rule = redactor({{"mysql", R"(^-p\n?(.+)$)", ""}, {"*", "TOKEN=(.+)", ""}});
  const auto argv = "sudo\0mysql\0-psecret\0-p\0secret\0TOKEN=secret\0"s;
  for (std::size_t size = 0; size <= argv.size(); ++size) {
    Event event;
    event.args.assign(argv.substr(0, size));
    const auto count = event.args.count();
    rule.apply(event);
    CAPTURE(size);
    CHECK(event.args.bytes().find("secret") == std::string_view::npos);
    CHECK(event.args.count() == count);
  }
}

TEST_CASE("unknown and empty arguments are left alone") {
  const auto rule = redactor({{"*", ".*", ""}, {"x", ".*", ""}});
  Event event;
  CHECK_FALSE(rule.apply(event));
  CHECK_FALSE(event.args.known());
  event.args.assign("");
  CHECK_FALSE(rule.apply(event));
  CHECK(event.args.bytes().empty());
  event.args.assign("\0\0"s);
  CHECK_FALSE(rule.apply(event));
  CHECK(event.args.bytes() == "\0\0"s);
  CHECK_FALSE(event.has(Mark::redacted));
}

TEST_CASE("without rules nothing happens") {
  CHECK(redacted(redactor({}), "/bin/x", "x|--password=y") == "x|--password=y");
}

TEST_CASE("bad rules are the user's fault, one line each") {
  const auto made = Redactor::create(
      Rules{{"*", "(", "f:1:2"}, {"*", "ok", "f:2:2"}, {"a/b", "x", "f:3:2"}, {"", "x", "f:4:2"}});
  REQUIRE_FALSE(made);
  CHECK(made.error().fault() == iptrackd::Fault::usage);
  CHECK(made.error().message() ==
        "f:1:2: the pattern of a redact rule is not valid: missing ): (; write it in RE2 syntax\n"
        "f:3:2: the program of a redact rule is 'a/b'; write its name, its absolute path, or *\n"
        "f:4:2: the program of a redact rule is ''; write its name, its absolute path, or *");
  for (const auto *pattern : {"(?=x)", R"((a)\1)", "a{1001}", "((a{100}){100}){100}", "[", "a)(b", "\\"}) {
    CAPTURE(pattern);
    CHECK_FALSE(Redactor::create(Rules{{"*", pattern, "f:1:1"}}));
  }
}

TEST_CASE("crafted arguments cost time in proportion to their size") {
  // Patterns on which a backtracking engine takes exponential time.
  const auto rules = redactor({{"*", "(a+)+$b", ""}, {"*", "(a|aa)+c", ""}, {"x", "^(.*a){10}d", ""}});
  std::string many;
  for (int i = 0; i < 19'968; ++i) many += "x|";
  const auto begin = std::chrono::steady_clock::now();
  CHECK(redacted(rules, "/bin/x", std::string(39'935, 'a')).size() == 39'935);
  CHECK(redacted(rules, "/bin/y", many).size() == many.size());
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{5});
}
