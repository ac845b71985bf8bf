#include "whitelist_reference.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <stdexcept>

namespace iptrackd::scenario {
namespace {

using Strings = std::vector<std::string>;

Strings split(const std::string &text, char at) {
  Strings parts;
  std::istringstream stream{text};
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

// An address as ones and zeros: 32 for IPv4, also where it is mapped into IPv6, else 128.
std::string bits_of(const std::string &address) {
  const bool is_ipv6 = address.find(':') != std::string::npos;
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, address.c_str(), bytes.data()) != 1)
    throw std::runtime_error{"no address: " + address};
  std::string bits;
  for (int byte = 0; byte < (is_ipv6 ? 16 : 4); ++byte)
    for (int bit = 7; bit >= 0; --bit)
      bits += (bytes.at(static_cast<std::size_t>(byte)) >> bit) % 2 ? '1' : '0';
  const std::string mapped = std::string(80, '0') + std::string(16, '1');
  return bits.starts_with(mapped) ? bits.substr(96) : bits;
}

// The bits that an address must begin with, and how many it must have.
struct Network {
  std::string bits;
  std::size_t size;
};

Network network_of(const std::string &text) {
  const Strings parts = split(text, '/');
  Network network{bits_of(parts.at(0)), 0};
  network.size = network.bits.size();
  if (parts.size() == 2) {
    const bool is_mapped = network.size == 32 && text.find(':') != std::string::npos;
    network.bits.resize(std::stoul(parts.at(1)) - (is_mapped ? 96 : 0));
  }
  return network;
}

bool in_network(const std::string &text, const std::string &remote) {
  if (remote.empty()) return false;
  const Network network = network_of(text);
  const std::string bits = bits_of(remote);
  return bits.size() == network.size && bits.starts_with(network.bits);
}

bool in_range(const std::string &range, unsigned port) {
  const Strings ends = split(range, '-');
  return port >= std::stoul(ends.front()) && port <= std::stoul(ends.back());
}

struct Field {
  std::string name;
  std::string value;
};

Field field_of(const std::string &text) {
  const std::size_t name_size = text.starts_with("rp") || text.starts_with("lp") ? 2 : 1;
  const std::string value = text.substr(name_size);
  return {text.substr(0, name_size), value.front() == '<' ? value.substr(1, value.size() - 2) : value};
}

bool is_met(const std::string &field, const WhitelistedDeed &deed) {
  const auto [name, value] = field_of(field);
  if (name == "i") return in_network(value, deed.remote);
  if (name == "p") return in_range(value, deed.service_port);
  if (name == "rp") return !deed.remote.empty() && in_range(value, deed.remote_port);
  if (name == "lp") return in_range(value, deed.local_port);
  if (name == "u") return std::stoul(value) == deed.uid;
  if (name != "k") throw std::runtime_error{"no field: " + field};
  const Strings kinds = split(value, ',');
  return std::find(kinds.begin(), kinds.end(), deed.kind) != kinds.end();
}

bool is_program(const std::string &program, const WhitelistedDeed &deed) {
  return program == "*" || program == deed.program;
}

}  // namespace

bool reference_drops_network(const std::string &rule, const WhitelistedDeed &deed) {
  const Strings parts = split(rule, '|');
  if (deed.kind == "exec" || !is_program(parts.at(0), deed)) return false;
  return std::all_of(parts.begin() + 1, parts.end(),
                     [&](const std::string &field) { return is_met(field, deed); });
}

bool reference_drops_exec(const std::string &rule, const WhitelistedDeed &deed, bool include_root) {
  const Strings parts = split(rule, '|');
  if (deed.kind != "exec" || !is_program(parts.at(0), deed)) return false;
  if (!include_root && (deed.uid == 0 || deed.euid == 0)) return false;
  std::string rest = parts.size() == 1 ? "" : rule.substr(parts.at(0).size() + 1);
  if (rest.starts_with("u<")) {
    if (std::stoul(rest.substr(2)) != deed.uid) return false;
    rest = parts.size() == 2 ? "" : rest.substr(parts.at(1).size() + 1);
  }
  Strings words = split(rest, ' ');
  std::erase(words, "");
  return words.size() <= deed.arguments.size() &&
         std::equal(words.begin(), words.end(), deed.arguments.begin());
}

std::string reference_meaning(const std::string &network_rule) {
  Strings parts = split(network_rule, '|');
  for (std::size_t at = 1; at < parts.size(); ++at) {
    auto [name, value] = field_of(parts[at]);
    if (name == "i") {
      const Network network = network_of(value);
      value = std::to_string(network.size) + " " + network.bits;
    } else if (name == "k") {
      Strings kinds = split(value, ',');
      std::sort(kinds.begin(), kinds.end());
      value.clear();
      for (const std::string &kind : kinds) value += kind + " ";
    } else {
      const Strings ends = split(value, '-');
      value = ends.front() + "-" + ends.back();
    }
    parts[at] = name + value;
  }
  std::sort(parts.begin() + 1, parts.end());
  std::string meaning;
  for (const std::string &part : parts) meaning += part + "|";
  return meaning;
}

}  // namespace iptrackd::scenario
