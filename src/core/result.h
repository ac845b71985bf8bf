// Errors are values. A function that can fail returns Result<T>; nothing in src/ below app throws across the
// wall of its room.
#ifndef IPTRACKD_CORE_RESULT_H
#define IPTRACKD_CORE_RESULT_H

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

namespace iptrackd {

// Answers what a caller has to decide: whose fault is it, and does trying again make sense?
enum class Fault : std::uint8_t {
  usage,        // the user's configuration or command line: exit code 2, no retry
  environment,  // kernel, permissions, file system, another daemon: exit code 1, no retry
  connection,   // the database is away or refuses for now: retry with back-off
  rejected,     // the database refuses this very data: retrying the same bytes is useless
  moved,        // the database's position is not the one that was expected: read it anew
  cancelled,    // the program was told to stop while it waited
};

class Error {
 public:
  Error(Fault fault, std::string message) : message_{std::move(message)}, fault_{fault} {}

  [[nodiscard]] const std::string &message() const noexcept { return message_; }
  [[nodiscard]] Fault fault() const noexcept { return fault_; }
  [[nodiscard]] bool retryable() const noexcept { return fault_ == Fault::connection; }
  [[nodiscard]] int exit_code() const noexcept { return fault_ == Fault::usage ? 2 : 1; }

  // Adds what was being done, in front: "cannot open the FIFO: " + message.
  [[nodiscard]] Error in_context(const std::string &what) const { return {fault_, what + ": " + message_}; }

 private:
  std::string message_;
  Fault fault_;
};

template <typename T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(Fault fault, std::string message) {
  return tl::unexpected<Error>{Error{fault, std::move(message)}};
}

// "WHAT: strerror(code)"; CODE is a positive errno, by default the current one.
[[nodiscard]] inline tl::unexpected<Error> fail_errno(const std::string &what, int code = errno) {
  return fail(Fault::environment, what + ": " + std::generic_category().message(code));
}

}  // namespace iptrackd

#endif
