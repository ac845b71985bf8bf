// Sshd: a real sshd with the callback in its PAM stack; sshd/sshd.sh.
#ifndef IPTRACKD_TESTS_SCENARIOS_SSHD_H
#define IPTRACKD_TESTS_SCENARIOS_SSHD_H

#include <string>
#include <vector>

#include "daemon.h"
#include "rows.h"

namespace iptrackd::scenario {

[[nodiscard]] Path callback_program();

class Sshd {
 public:
  // CALLBACK writes to FIFO.
  explicit Sshd(const Path &fifo, const Path &callback = callback_program());
  ~Sshd();
  Sshd(const Sshd &) = delete;
  Sshd &operator=(const Sshd &) = delete;

  // METHOD is "login" (by key) or "password". What each login's own shell saw.
  [[nodiscard]] std::vector<Json> log_in(const std::string &method, int count) const;

 private:
  [[nodiscard]] std::string state() const { return (directory_.path() / "sshd").string(); }

  TemporaryDirectory directory_;
};

}  // namespace iptrackd::scenario

#endif
