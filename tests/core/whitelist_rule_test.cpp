#include "core/whitelist_rule.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <bit>
#include <string>
#include <vector>

#include "core/rule_laws.h"

using namespace iptrackd;
using namespace iptrackd::test;

namespace {

constexpr auto network = RuleList::network;
constexpr auto exec = RuleList::exec;

WhitelistRule parsed(RuleList list, std::string_view text) {
  CAPTURE(text);
  auto rule = WhitelistRule::parse(list, text);
  if (!rule) FAIL("refused at ", rule.error().at, ": ", rule.error().message);
  return rule ? *rule : WhitelistRule{};
}

std::string canonical(RuleList list, std::string_view text) {
  return parsed(list, text).text();
}

// "POSITION: MESSAGE"; empty where the rule is read.
std::string refusal(RuleList list, std::string_view text) {
  const auto rule = WhitelistRule::parse(list, text);
  return rule ? "" : std::to_string(rule.error().at) + ": " + rule.error().message;
}

std::string address_of(const iptrackd_network_rule &rule) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(rule.family, &rule.remote[0], text.data(), text.size());
}

unsigned mask_bits(const iptrackd_network_rule &rule) {
  unsigned bits = 0;
  for (const auto byte : rule.remote_mask) bits += static_cast<unsigned>(std::popcount(byte));
  return bits;
}

}  // namespace

TEST_CASE("the seed's examples, word for word") {
  const auto all = parsed(network, "/usr/sbin/sshd|i<127.0.0.1>|p<22>");
  CHECK(all.program == "/usr/sbin/sshd");
  CHECK(all.network.asks == (IPTRACKD_RULE_REMOTE | IPTRACKD_RULE_SERVICE_PORT));
  CHECK(all.network.family == AF_INET);
  CHECK(address_of(all.network) == "127.0.0.1");
  CHECK(mask_bits(all.network) == 32);
  CHECK(all.network.service_port_low == 22);
  CHECK(all.network.service_port_high == 22);
  CHECK(all.network.hits == 0);
  CHECK(same_bytes(all.exec, iptrackd_exec_rule{}));
  CHECK(parsed(network, "/usr/sbin/sshd|i<127.0.0.1>").network.asks == IPTRACKD_RULE_REMOTE);
  CHECK(parsed(network, "/usr/sbin/sshd|p<22>").network.asks == IPTRACKD_RULE_SERVICE_PORT);
  CHECK(parsed(network, "/usr/sbin/sshd").network.asks == 0);
  CHECK(same(parsed(network, "/usr/sbin/sshd|i127.0.0.1|p22"), all));
  CHECK(same(parsed(network, "/usr/sbin/sshd|p<22>|i<127.0.0.1>"), all));

  const auto ls = parsed(exec, "/usr/bin/ls|-l /tmp");
  CHECK(ls.program == "/usr/bin/ls");
  CHECK(ls.exec.asks == IPTRACKD_RULE_ARGUMENTS);
  CHECK(std::string{&ls.exec.arguments[0], ls.exec.arguments_size} == std::string{"-l\0/tmp\0", 8});
  CHECK(parsed(exec, "/path/to/exe|argument prefix").text() == "/path/to/exe|argument prefix");
}

TEST_CASE("the extensions") {
  const auto rule = parsed(network,
                           "*|i<10.0.0.0/8>|p<1-1023>|rp<65535>|lp<8000-8080>|u<4294967294>|"
                           "k<connect,close>");
  CHECK(rule.program == "*");
  CHECK(rule.network.asks == (IPTRACKD_RULE_REMOTE | IPTRACKD_RULE_SERVICE_PORT | IPTRACKD_RULE_REMOTE_PORT |
                              IPTRACKD_RULE_LOCAL_PORT | IPTRACKD_RULE_UID | IPTRACKD_RULE_KINDS));
  CHECK(mask_bits(rule.network) == 8);
  CHECK(rule.network.service_port_low == 1);
  CHECK(rule.network.service_port_high == 1023);
  CHECK(rule.network.remote_port_low == 65535);
  CHECK(rule.network.remote_port_high == 65535);
  CHECK(rule.network.local_port_low == 8000);
  CHECK(rule.network.local_port_high == 8080);
  CHECK(rule.network.uid == 4294967294);
  CHECK(rule.network.kinds == (1 << IPTRACKD_KIND_CONNECT | 1 << IPTRACKD_KIND_CLOSE));

  const auto ipv6 = parsed(network, "/a|i<2001:db8::1/33>").network;
  CHECK(ipv6.family == AF_INET6);
  CHECK(mask_bits(ipv6) == 33);
  CHECK(ipv6.remote_mask[4] == 0x80);

  const auto user = parsed(exec, "/a|u<0>|-x | y");
  CHECK(user.exec.asks == (IPTRACKD_RULE_UID | IPTRACKD_RULE_ARGUMENTS));
  CHECK(user.exec.uid == 0);
  CHECK(std::string{&user.exec.arguments[0], user.exec.arguments_size} == std::string{"-x\0|\0y\0", 7});
  CHECK(parsed(exec, "*|u<7>").exec.asks == IPTRACKD_RULE_UID);
  CHECK(parsed(exec, "/a|u7").exec.asks == IPTRACKD_RULE_ARGUMENTS);
  CHECK(parsed(exec, "/a| u<7>").exec.asks == IPTRACKD_RULE_ARGUMENTS);
}

TEST_CASE("the examples of the configuration file are written as their text is") {
  for (const auto *text : {"/usr/sbin/sshd|i<127.0.0.1>|p<22>",
                           "/usr/bin/rsync|i<10.0.0.0/8>|p<873>|k<connect,close>", "*|u<998>"})
    CHECK(canonical(network, text) == text);
  for (const auto *text : {"/usr/bin/ls|-l /tmp", "/usr/bin/uptime|u<998>", "/bin/sh|u<998>|-c uptime"})
    CHECK(canonical(exec, text) == text);
}

TEST_CASE("a narrower network beside a wider one hides nothing") {
  iptrackd_network_question question{};
  question.kind = IPTRACKD_KIND_CONNECT;
  question.family = AF_INET;
  question.service_port = question.remote_port = 22;
  inet_pton(AF_INET, "10.1.2.3", &question.remote[0]);
  const auto unmet = [&](std::string_view text) {
    const auto rule = parsed(network, text);
    return iptrackd_network_rule_unmet(&rule.network, &question);
  };
  CHECK(unmet("/a|i<10.1.0.0/16>|p<443>") == IPTRACKD_RULE_SERVICE_PORT);
  CHECK(unmet("/a|i<10.0.0.0/8>|p<22>") == 0);
  CHECK(unmet("/a|i<10.2.0.0/16>|p<22>") == IPTRACKD_RULE_REMOTE);
}

TEST_CASE("canonical text") {
  const std::vector<std::array<std::string_view, 2>> of_network{
      {"//usr///sbin/sshd", "/usr/sbin/sshd"},
      {"/a b|p022", "/a b|p<22>"},
      {"/a|p<22-22>", "/a|p<22>"},
      {"/a|k<close,connect>|u<01>|p<2>|i<::1>", "/a|i<::1>|p<2>|u<1>|k<connect,close>"},
      {"/a|i<10.1.2.3/8>", "/a|i<10.0.0.0/8>"},
      {"/a|i<1.2.3.4/32>", "/a|i<1.2.3.4>"},
      {"/a|i<1.2.3.4/0>", "/a|i<0.0.0.0/0>"},
      {"/a|i<2001:DB8::FFFF/31>", "/a|i<2001:db8::/31>"},
      {"/a|i<::/0>", "/a|i<::/0>"},
      {"/a|i<::ffff:10.1.2.3>", "/a|i<10.1.2.3>"},
      {"/a|i<::ffff:a01:203/104>", "/a|i<10.0.0.0/8>"},
      {"/a|i<::ffff:10.1.2.3/96>", "/a|i<0.0.0.0/0>"},
      {"/a|i<::1.2.3.4/128>", "/a|i<::1.2.3.4>"}};
  for (const auto &[written, text] : of_network) CHECK(canonical(network, written) == text);
  CHECK(canonical(exec, "/a|  -l    /tmp ") == "/a|-l /tmp");
  CHECK(canonical(exec, "/a| u<7>") == "/a| u<7>");
  CHECK(canonical(exec, "/a|u<7>| u<7>") == "/a|u<7>|u<7>");
  CHECK(canonical(exec, "/a|u<7>") == "/a|u<7>");
  CHECK(canonical(exec, "/a||x|") == "/a||x|");
  CHECK(canonical(exec, "/\xff\xc3\xa9|\x80") == "/\xff\xc3\xa9|\x80");
}

TEST_CASE("a program that is none is refused where it goes wrong") {
  for (const auto list : {network, exec}) {
    CHECK(refusal(list, "") == "0: the rule is empty; write a program's absolute path, or * for any program");
    CHECK(refusal(list, "|p<1>") ==
          "0: the program is missing; write its absolute path, or * for any program");
    CHECK(refusal(list, "sshd|p<1>") ==
          "0: 'sshd' is no absolute path; begin with a slash, or write * for any program");
    CHECK(refusal(list, "**") == "1: '*' follows the *; write * alone, or an absolute path");
    CHECK(refusal(list, "/a/../b") == "3: the path goes by '..'; write it without");
    CHECK(refusal(list, "/a//.") == "4: the path goes by '.'; write it without");
    CHECK(refusal(list, "/usr//") ==
          "4: the path ends with a slash; write that of a program, not of a directory");
    CHECK(refusal(list, "/a |p<1>") == "2: the path ends with a space; remove it");
    CHECK(refusal(list, "/a" + std::string(5000, 'x')) ==
          "4095: the path is longer than a path can be; write at most 4095 bytes");
    CHECK(refusal(list, "//" + std::string(4094, 'x')).empty());
    CHECK(refusal(list, "//" + std::string(4095, 'x')).starts_with("4096: the path is longer"));
    CHECK(refusal(list, std::string{"/a|p<1>\0", 8}) ==
          "7: '\\x00' is a control character; write a rule without");
    CHECK(refusal(list, "/a\n").starts_with("2: '\\x0a' is a control character"));
    CHECK(refusal(list, "/a\x7f").starts_with("2: '\\x7f'"));
    CHECK(refusal(list, "/...").empty());
  }
}

TEST_CASE("a field that is none is refused where it goes wrong") {
  const std::string fields = "write i<ADDRESS>, p<PORT>, rp<PORT>, lp<PORT>, u<UID> or k<KIND,KIND>";
  const std::string port = "write a whole number from 1 to 65535";
  const std::string user = "write a whole number from 0 to 4294967294";
  const std::string address = "write a numeric one, like 127.0.0.1 or 2001:db8::/32";
  const std::string kind = "write connect, accept, bind or close";
  const std::vector<std::array<std::string, 2>> cases{
      {"/a|", "3: the field is empty; " + fields + ", or remove the |"},
      {"/a||p<1>", "3: the field is empty; " + fields + ", or remove the |"},
      {"/a|q<1>", "3: 'q<1>' is no field; " + fields},
      {"/a|P<1>", "3: 'P<1>' is no field; " + fields},
      {"/a| p<1>", "3: ' p<1>' is no field; " + fields},
      {"/a|p<1>|p2", "8: the field 'p' stands here twice; write it once"},
      {"/a|i<::1>|rp1|i<::1>", "14: the field 'i' stands here twice; write it once"},
      {"/a|p<22", "7: 'p<22' has no end; write > behind its value"},
      {"/a|p<22|u<1>", "7: 'p<22' has no end; write > behind its value"},
      {"/a|p<22>x", "8: 'x' follows the >; write | between two fields"},
      {"/a|p<22>>", "8: '>' follows the >; write | between two fields"},
      {"/a|p22>", "6: '>' follows the port; write PORT or LOW-HIGH"},
      {"/a|p", "4: the port is missing; " + port},
      {"/a|p<>", "5: the port is missing; " + port},
      {"/a|p<0>", "5: '0' is no port; " + port},
      {"/a|p<65536>", "5: '65536' is no port; " + port},
      {"/a|p<99999999999999999999>", "5: '99999999999999999999' is no port; " + port},
      {"/a|p<ssh>", "5: 'ssh' is no port; " + port},
      {"/a|p<+1>", "5: '+1' is no port; " + port},
      {"/a|p<-1>", "5: '-1' is no port; " + port},
      {"/a|p< 1>", "5: ' 1' is no port; " + port},
      {"/a|p<1e3>", "6: 'e3' follows the port; write PORT or LOW-HIGH"},
      {"/a|p<0x16>", "5: '0' is no port; " + port},
      {"/a|p<1->", "7: the port is missing; " + port},
      {"/a|p<1-0>", "7: '0' is no port; " + port},
      {"/a|p<1-65536>", "7: '65536' is no port; " + port},
      {"/a|p<2-1>", "7: the ports end before they begin; write the lower one first"},
      {"/a|p<1-2-3>", "8: '-3' follows the port; " + port},
      {"/a|rp<0>", "6: '0' is no port; " + port},
      {"/a|lp<0>", "6: '0' is no port; " + port},
      {"/a|u<4294967295>", "5: '4294967295' is no user id; " + user},
      {"/a|u<root>", "5: 'root' is no user id; " + user},
      {"/a|u<-1>", "5: '-1' is no user id; " + user},
      {"/a|u<1.5>", "6: '.5' follows the user id; " + user},
      {"/a|i<>", "5: '' is no address; " + address},
      {"/a|i<localhost>", "5: 'localhost' is no address; " + address},
      {"/a|i<10.0.0>", "5: '10.0.0' is no address; " + address},
      {"/a|i<fe80::1%eth0>", "12: the address has a zone; write it without the % and what follows"},
      {"/a|i<1.2.3.4%1/8>", "12: the address has a zone; write it without the % and what follows"},
      {"/a|i<1.2.3.4/>", "13: the prefix of this address is missing; write a whole number from 0 to 32"},
      {"/a|i<1.2.3.4/33>", "13: '33' is no prefix of this address; write a whole number from 0 to 32"},
      {"/a|i<::/129>", "8: '129' is no prefix of this address; write a whole number from 0 to 128"},
      {"/a|i<1.2.3.4/8/8>", "14: '/8' follows the prefix of this address; write a whole number from 0 to 32"},
      {"/a|i<1.2.3.4/255.0.0.0>",
       "13: '255' is no prefix of this address; write a whole number from 0 to 32"},
      {"/a|i<::ffff:1.2.3.4/95>",
       "20: '95' is no prefix of this address; write a whole number from 96 to 128"},
      {"/a|k<>", "5: '' is no kind; " + kind},
      {"/a|k<connect,>", "13: '' is no kind; " + kind},
      {"/a|k<connect, close>", "13: ' close' is no kind; " + kind},
      {"/a|k<exec>", "5: 'exec' is no kind; " + kind},
      {"/a|k<close,bind,close>", "16: 'close' stands here twice; remove one"},
      {"/a|" + std::string(41, 'x'), "3: '" + std::string(40, 'x') + "...' is no field; " + fields},
      {"/a|\xff\xfe", "3: '\\xff\\xfe' is no field; " + fields}};
  for (const auto &each : cases) {
    CAPTURE(each[0]);
    CHECK(refusal(network, each[0]) == each[1]);
  }
}

TEST_CASE("an exec rule that is none is refused where it goes wrong") {
  CHECK(refusal(exec, "/a|") == "3: the arguments are missing; write them, or remove the |");
  CHECK(refusal(exec, "/a|   ") == "3: the arguments are missing; write them, or remove the |");
  CHECK(refusal(exec, "/a|u<1>|") == "8: the arguments are missing; write them, or remove the |");
  CHECK(refusal(exec, "/a|u<1") == "6: 'u<1' has no end; write > behind its value");
  CHECK(refusal(exec, "/a|u<1> x") == "7: ' x' follows the >; write | between two fields");
  CHECK(refusal(exec, "/a|u<x>").starts_with("5: 'x' is no user id; "));
  CHECK(refusal(exec, "/a|x\ty").starts_with("4: '\\x09' is a control character"));
  CHECK(refusal(exec, "/a|" + std::string(239, 'x')).empty());
  CHECK(refusal(exec, "/a|-l " + std::string(237, 'x')) ==
        "6: the arguments are too long; write at most 240 bytes, one of them for the end of each");
}

// Were the work to grow faster than the text, ctest's limit would end it.
TEST_CASE("a huge rule is refused in few words") {
  const std::string million(1'000'000, ',');
  for (const auto *before : {"", "/a|", "/a|k<", "/a|p<1", "*", "/"}) {
    for (const auto list : {network, exec}) {
      const auto mistake = refusal(list, before + million);
      CHECK_FALSE(mistake.empty());
      CHECK(mistake.size() < 250);
    }
  }
  CHECK(split_rules(network, million).size() == 1'000'001);
}

TEST_CASE("several rules in one string") {
  const auto split = [](RuleList list, std::string_view text) {
    std::vector<std::string> out;
    for (const auto &piece : split_rules(list, text)) {
      CHECK(text.substr(piece.at, piece.text.size()) == piece.text);
      out.push_back(std::to_string(piece.at) + ' ' + std::string{piece.text});
    }
    return out;
  };
  using Texts = std::vector<std::string>;
  CHECK(split(network, "/a|p<1>, *|k<connect,close>|u<0> ,\n/b") ==
        Texts{"0 /a|p<1>", "9 *|k<connect,close>|u<0>", "35 /b"});
  CHECK(split(network, "/a<b,/c") == Texts{"0 /a<b", "5 /c"});
  CHECK(split(network, "/a|p1,/b<c,/d") == Texts{"0 /a|p1", "6 /b<c", "11 /d"});
  CHECK(split(network, "/a|p<1,/b") == Texts{"0 /a|p<1,/b"});
  CHECK(split(exec, "/a|-l <a,/b") == Texts{"0 /a|-l <a", "9 /b"});
  CHECK(split(exec, " ").empty());
  CHECK(split(network, "").empty());
  CHECK(split(network, "/a,, ") == Texts{"0 /a", "3 ", "4 "});
}
