// Process: another program, its outputs kept in files. Failures to start one throw std::system_error: a test
// cannot go on.
#ifndef IPTRACKD_TESTS_SCENARIOS_PROCESS_H
#define IPTRACKD_TESTS_SCENARIOS_PROCESS_H

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/fd.h"
#include "settings.h"

namespace iptrackd::scenario {

inline constexpr uid_t uid_of_nobody = 65534;

using Milliseconds = std::chrono::milliseconds;

struct Launch {
  std::vector<std::string> arguments;  // the first is the program's path too, unless `program` is set
  Path program;
  std::optional<uid_t> user;      // becomes this user and group, without any others
  std::function<void()> prepare;  // called in the new process before the program takes its place
};

struct Ended {
  int status = 0;  // exit code, or minus the signal that ended it
  std::string out;
  std::string err;
};

class Process {
 public:
  explicit Process(const Launch &launch);
  // A program that still runs is killed.
  ~Process();
  Process(Process &&other) noexcept;
  Process &operator=(Process &&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  // The status as in Ended; nullopt: it still runs.
  [[nodiscard]] std::optional<int> wait(Milliseconds timeout);
  // What it has printed so far.
  [[nodiscard]] std::string out() const;
  [[nodiscard]] std::string err() const;

 private:
  pid_t pid_ = -1;
  Fd out_, err_, handle_;
  std::optional<int> status_;
};

// Runs it to its end; one that takes longer than TIMEOUT is killed, which shows in the status.
[[nodiscard]] Ended run(const Launch &launch, Milliseconds timeout = std::chrono::seconds{60});

// Calls DONE every STEP until it returns true; false: that did not happen within TIMEOUT.
[[nodiscard]] bool eventually(Milliseconds timeout, const std::function<bool()> &done,
                              Milliseconds step = Milliseconds{20});

}  // namespace iptrackd::scenario

#endif
