// Calls: how a process asks the kernel to connect, accept, bind and close. What becomes of the socket is the
// same whatever the way is; a Socket makes its calls through this interface and does not know which one it
// is.
//
//   system-call                    the C library's functions
//   uring, uring-worker, uring-sqpoll, uring-quiet, uring-direct, uring-direct-left, uring-multishot: uring.h
//   int80, socketcall, x32: compat.h
//   fast-open, fast-open-option, with -at-once or without: fast_open.h; connects only
#ifndef IPTRACKD_TESTS_PROGRAMS_WAYS_H
#define IPTRACKD_TESTS_PROGRAMS_WAYS_H

#include <optional>
#include <string>
#include <string_view>

#include "name.h"

namespace iptrackd::oracle {

// What stands for a socket in its process: a descriptor, or a place in the table of a ring, which is no
// descriptor and means nothing to a system call.
struct Handle {
  int fd = -1;
  std::optional<unsigned> slot = std::nullopt;
};

struct Accepted {
  int error = 0;  // a negative errno, else 0
  Handle handle;
  Name peer = {};        // only where no descriptor could be asked for it
  bool goes_on = false;  // the kernel accepts the next one before anybody asks for it
};

class Calls {
 public:
  virtual ~Calls() = default;

  // 0 or a negative errno.
  [[nodiscard]] virtual int connect(int fd, const Name &to) = 0;
  [[nodiscard]] virtual int bind(int fd, const Name &to) = 0;
  // ACCEPT4: by that call, where the way has both.
  [[nodiscard]] virtual Accepted accept(int listener, bool accept4) = 0;
  virtual void close(const Handle &handle) = 0;
  // Asks for a connection before there is one, where this way can; accept() then takes the answer.
  virtual void begin_accept(int /*listener*/) {}
  // Before LISTENER is closed: an accept that is still asked for would keep it open.
  virtual void end_accept(int /*listener*/) {}

  // Before LISTENER listens to clients that will connect in this way.
  virtual void prepare_listener(int /*listener*/) {}
  // Payload that a connect takes along.
  [[nodiscard]] virtual std::uint64_t sent_by_connect() const { return 0; }

  // Adds to the row of a call what it has because it was made this way.
  virtual void describe(Json & /*row*/) const {}
};

class SystemCalls : public Calls {
 public:
  int connect(int fd, const Name &to) override;
  int bind(int fd, const Name &to) override;
  Accepted accept(int listener, bool accept4) override;
  void close(const Handle &handle) override;
};

// The way of the calls whose rows are of this kind.
[[nodiscard]] Calls &calls_for(std::string_view kind);
// From now on the calls of these kinds, as "connect+close", are made by WAY. Direct descriptors are always
// closed by their ring.
void use_way(const std::string &way, const std::string &kinds);

// Ends the program with exit code 77: this kernel has no WHAT.
inline constexpr int exit_not_here = 77;
[[noreturn]] void not_here(const std::string &what);

}  // namespace iptrackd::oracle

#endif
