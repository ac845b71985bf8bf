#include "whitelist_random.h"

#include <algorithm>
#include <array>

namespace iptrackd::scenario {
namespace {

using Strings = std::vector<std::string>;

const Strings ports_of_rules{"22",  "22-22",  "1-65535",    "1-1024", "22-443",
                             "443", "23-442", "1025-65535", "65535"};
const std::array deed_ports{1U, 21U, 22U, 23U, 442U, 443U, 444U, 1024U, 1025U, 40000U, 65535U};
const std::array users{0U, 1000U, 1000U, 1000U, 65534U, 4294967294U};

const Strings networks{
    "10.1.2.3",          "10.1.0.0/16", "10.0.0.0/8",      "10.1.2.2/31",         "0.0.0.0/0",
    "127.0.0.1",         "10.1.2.3/32", "10.1.128.0/17",   "2001:db8::/32",       "2001:db8::1",
    "2001:db8::1/127",   "::/0",        "::ffff:10.1.2.3", "::ffff:10.1.0.0/112", "::1",
    "2001:db8:8000::/33"};
const Strings remotes{"10.1.2.3",    "10.1.2.2",   "10.1.200.7",       "10.2.0.1",
                      "127.0.0.1",   "192.0.2.9",  "::ffff:10.1.2.3",  "::ffff:127.0.0.1",
                      "2001:db8::1", "2001:db8::", "2001:db8:8001::5", "::1",
                      "::10.1.2.3"};

const Strings prefixes{"-l",
                       "-l /tmp",
                       "-l  /tmp",
                       "--all",
                       "-",
                       "-l /tmp /var",
                       "a|b",
                       std::string(200, 'x'),
                       std::string(238, 'y')};
const Strings words{"-l",
                    "/tmp",
                    "--all",
                    "-",
                    "/var",
                    "",
                    "-l /tmp",
                    "a|b",
                    "-la",
                    std::string(200, 'x'),
                    std::string(238, 'y'),
                    std::string(300, 'y')};

}  // namespace

std::size_t WhitelistRandom::below(std::size_t bound) {
  return std::uniform_int_distribution<std::size_t>{0, bound - 1}(engine_);
}

unsigned WhitelistRandom::port() {
  return deed_ports.at(below(deed_ports.size()));
}

unsigned WhitelistRandom::user() {
  return users.at(below(users.size()));
}

// Brackets may be left out.
std::string WhitelistRandom::field(const std::string &name, const std::string &value) {
  return happens(30) ? name + value : name + "<" + value + ">";
}

std::string WhitelistRandom::kinds() {
  Choices chosen{"connect", "accept", "bind", "close"};
  std::shuffle(chosen.begin(), chosen.end(), engine_);
  chosen.resize(1 + below(4));
  std::string text;
  for (const std::string &kind : chosen) text += (text.empty() ? "" : ",") + kind;
  return text;
}

std::string WhitelistRandom::network_rule(const std::string &program) {
  Strings fields;
  if (happens(35)) fields.push_back(field("i", one_of(networks)));
  if (happens(30)) fields.push_back(field("p", one_of(ports_of_rules)));
  if (happens(15)) fields.push_back(field("rp", one_of(ports_of_rules)));
  if (happens(15)) fields.push_back(field("lp", one_of(ports_of_rules)));
  if (happens(15)) fields.push_back(field("u", std::to_string(user())));
  // A comma is one of a list without the brackets.
  if (happens(25)) fields.push_back("k<" + kinds() + ">");
  std::shuffle(fields.begin(), fields.end(), engine_);
  std::string rule = program;
  for (const std::string &one : fields) rule += "|" + one;
  return rule;
}

std::string WhitelistRandom::exec_rule(const std::string &program) {
  std::string rule = program;
  if (happens(30)) rule += "|u<" + std::to_string(user()) + ">";
  if (happens(65)) rule += "|" + one_of(prefixes);
  return rule;
}

WhitelistedDeed WhitelistRandom::network_deed(const std::string &program) {
  static const Choices kinds{"connect", "accept", "bind", "close"};
  WhitelistedDeed deed;
  deed.program = program;
  deed.kind = one_of(kinds);
  deed.uid = user();
  deed.euid = happens(80) ? deed.uid : user();
  deed.local_port = happens(90) ? port() : 0;
  if (deed.kind == "bind" || (deed.kind == "close" && happens(30))) {
    deed.service_port = deed.local_port;
    return deed;
  }
  deed.remote = one_of(remotes);
  deed.remote_port = port();
  const bool is_outward = deed.kind == "connect" || (deed.kind == "close" && happens(50));
  deed.service_port = is_outward ? deed.remote_port : deed.local_port;
  // Of a socket that is older than the daemon nobody knows.
  if (deed.kind == "close" && happens(10)) deed.service_port = 0;
  return deed;
}

WhitelistedDeed WhitelistRandom::exec_deed(const std::string &program) {
  WhitelistedDeed deed;
  deed.program = program;
  deed.kind = "exec";
  deed.uid = user();
  deed.euid = happens(80) ? deed.uid : user();
  if (happens(60)) {
    // One of the rules' own prefixes, and perhaps more.
    std::string word;
    for (const char c : one_of(prefixes) + " ") {
      if (c != ' ') word += c;
      if (c == ' ' && !word.empty()) deed.arguments.push_back(std::exchange(word, ""));
    }
  }
  for (std::size_t more = below(4); more > 0; --more) deed.arguments.push_back(one_of(words));
  return deed;
}

Json query_of(const WhitelistedDeed &deed) {
  Json query{{"exe", deed.program}, {"kind", deed.kind}, {"uid", deed.uid}, {"euid", deed.euid}};
  if (deed.kind == "exec") {
    query["args"] = deed.arguments;
    return query;
  }
  if (!deed.remote.empty()) query.update({{"remote", deed.remote}, {"remote_port", deed.remote_port}});
  query.update({{"service_port", deed.service_port}, {"local_port", deed.local_port}});
  return query;
}

}  // namespace iptrackd::scenario
