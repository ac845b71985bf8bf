// Service: a program that runs beside the test, as an unprivileged user, in a directory of its own that both
// see.
#ifndef IPTRACKD_TESTS_SINK_SERVICE_H
#define IPTRACKD_TESTS_SINK_SERVICE_H

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/fd.h"

namespace iptrackd::test {

class Service {
 public:
  Service();
  ~Service();  // ends the program
  Service(const Service &) = delete;
  Service &operator=(const Service &) = delete;

  [[nodiscard]] const std::string &directory() const { return directory_; }
  void write(const std::string &name, const std::string &text) const;
  void start(const std::vector<std::string> &command);
  // Runs COMMAND to its end as that user; its output goes into the file `log` of the directory.
  [[nodiscard]] bool run(const std::string &command) const;

 private:
  std::string directory_;
  pid_t child_ = -1;
};

// A TCP socket on 127.0.0.1 that completes handshakes and then says nothing.
[[nodiscard]] Fd silent_listener();
[[nodiscard]] std::uint16_t port_of(const Fd &socket);
// Waits until somebody listens there, some seconds at most.
void await_listener(std::uint16_t port);
// A TCP port on 127.0.0.1 that nobody uses just now.
[[nodiscard]] std::uint16_t free_port();

}  // namespace iptrackd::test

#endif
