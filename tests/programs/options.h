// Options: the words KEY=VALUE behind an oracle's deed.
#ifndef IPTRACKD_TESTS_PROGRAMS_OPTIONS_H
#define IPTRACKD_TESTS_PROGRAMS_OPTIONS_H

#include <map>
#include <span>
#include <string>

#include "socket.h"

namespace iptrackd::oracle {

class Options {
 public:
  explicit Options(std::span<char *const> words);

  // FALLBACK where KEY is not given.
  [[nodiscard]] std::string text(const std::string &key, const std::string &fallback) const;
  [[nodiscard]] std::uint64_t number(const std::string &key, std::uint64_t fallback) const;
  [[nodiscard]] bool is(const std::string &key, const std::string &value) const {
    return text(key, "") == value;
  }
  [[nodiscard]] Proto proto() const;         // proto=tcp|udp|mptcp
  [[nodiscard]] Proto server_proto() const;  // server=tcp|mptcp, where it is not that of the client
  [[nodiscard]] Family family() const;       // family=4|6|mapped

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace iptrackd::oracle

#endif
