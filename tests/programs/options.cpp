#include "options.h"

namespace iptrackd::oracle {

Options::Options(std::span<char *const> words) {
  for (const std::string word : words) {
    const auto equals = word.find('=');
    if (equals == std::string::npos) {
      errno = EINVAL;
      die("not KEY=VALUE: " + word);
    }
    values_[word.substr(0, equals)] = word.substr(equals + 1);
  }
}

std::string Options::text(const std::string &key, const std::string &fallback) const {
  const auto found = values_.find(key);
  return found == values_.end() ? fallback : found->second;
}

std::uint64_t Options::number(const std::string &key, std::uint64_t fallback) const {
  const auto found = values_.find(key);
  return found == values_.end() ? fallback : std::stoull(found->second);
}

Proto Options::proto() const {
  if (is("proto", "mptcp")) return Proto::mptcp;
  return is("proto", "udp") ? Proto::udp : Proto::tcp;
}

Proto Options::server_proto() const {
  const std::string server = text("server", "");
  if (server.empty()) return proto();
  return server == "mptcp" ? Proto::mptcp : Proto::tcp;
}

Family Options::family() const {
  if (is("family", "6")) return Family::ipv6;
  return is("family", "mapped") ? Family::mapped : Family::ipv4;
}

}  // namespace iptrackd::oracle
