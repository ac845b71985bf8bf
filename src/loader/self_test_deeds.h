// The deeds of the self-test, performed by a process of its own: an exec and a failed one, and connects,
// accepts, binds and closes over the loopback interface, by every call that a hook hangs on.
//
// It leaves the daemon's control group for the host's root, and the daemon's namespaces for those of process
// 1: a hook that sees only the daemon's own container must be found out.
#ifndef IPTRACKD_LOADER_SELF_TEST_DEEDS_H
#define IPTRACKD_LOADER_SELF_TEST_DEEDS_H

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <stop_token>

#include "core/fd.h"
#include "core/result.h"
#include "loader/self_test_ways.h"

namespace iptrackd::loader {

// What was done, as bits.
struct Deeds {
  static constexpr std::uint32_t ipv4 = 1U << 0;
  static constexpr std::uint32_t ipv6 = 1U << 1;
  static constexpr std::uint32_t mptcp = 1U << 2;
  static constexpr std::uint32_t processes = 1U << 3;  // fork, failed execs
  static constexpr std::uint32_t outside = 1U << 4;    // in the root of the host's control groups
  static constexpr std::uint32_t io_uring = 1U << 5;   // some of the ways
};

struct Performed {
  std::uint32_t deeds = 0;  // Deeds
  WayPorts ports{};
};

struct DeedOptions {
  bool hidden_ways;  // those that tracepoints do not show, too
  bool outside;      // in the root of the host's control groups, which takes privileges; false: where it is
};

// The child waits for begin(), performs, and ends. Killed with the object.
class SelfTestProcess {
 public:
  [[nodiscard]] static Result<SelfTestProcess> start(const DeedOptions &options);
  ~SelfTestProcess();
  SelfTestProcess(SelfTestProcess &&other) noexcept;
  SelfTestProcess &operator=(SelfTestProcess &&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  // Lets it perform, and waits until it has ended. Fails (environment) when it does not end in
  // TIMEOUT, or STOP is requested.
  [[nodiscard]] Result<Performed> perform(std::chrono::milliseconds timeout, const std::stop_token &stop);

 private:
  SelfTestProcess(pid_t pid, Fd to_child, Fd from_child) noexcept;
  pid_t pid_;
  Fd to_child_;
  Fd from_child_;
};

}  // namespace iptrackd::loader

#endif
