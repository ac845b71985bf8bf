// Server: a daemon's end of its control socket. A client sends one line and gets one answer; only root and
// the daemon's own user are heard.
//
//   client ──"status\n"──> server ──+{"host": ...}──> client
//
// The first character of an answer says how it is meant: '+' what was asked for, '-' the request is at fault,
// '!' the daemon could not do it.
#ifndef IPTRACKD_CONTROL_SERVER_H
#define IPTRACKD_CONTROL_SERVER_H

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/fd.h"
#include "core/result.h"

namespace iptrackd::control {

// The longest line that a client may send, without its end.
inline constexpr std::size_t longest_request = 8U << 20;

// Who asks.
struct Peer {
  pid_t pid = 0;  // as this process's pid namespace has it; 0: not in it
  uid_t uid = 0;
};

class Server {
 public:
  // Called in the server's thread. Faults: usage: the request is at fault; any other: it could not be done.
  using Answer = std::function<Result<std::string>(std::string_view request, const Peer &peer)>;

  // Makes the socket PATH (mode 0600) and its directory (0755) where they are missing. One that a daemon
  // which was killed has left is taken away. Fault environment: another daemon listens there, something else
  // stands there, or it cannot be made.
  [[nodiscard]] static Result<std::unique_ptr<Server>> open(const std::string &path, Answer answer);
  ~Server();
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;

  // The thread's body, until STOP. One client after the other; each has a second.
  void run(const std::stop_token &stop);

 private:
  Server(std::string path, Fd listener, Fd wake, Answer answer);
  void serve(Fd client) const;

  std::string path_;
  Fd listener_;
  Fd wake_;  // eventfd: a stop was requested
  Answer answer_;
};

// Asks the daemon that listens at PATH. Faults: environment: none does, it does not answer within half a
// minute, it does not listen to this user, or it could not do what was asked; usage: the request is at fault.
[[nodiscard]] Result<std::string> ask(const std::string &path, std::string_view request);

}  // namespace iptrackd::control

#endif
