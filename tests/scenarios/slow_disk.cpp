#include "slow_disk.h"

#include <unistd.h>

#include <fstream>
#include <stdexcept>

namespace iptrackd::scenario {
namespace {

constexpr const char *strace = "/usr/bin/strace";

Launch strace_launch(const Daemon &daemon, const Path &trace, std::chrono::seconds delay) {
  Launch launch;
  const auto microseconds = std::chrono::microseconds{delay}.count();
  launch.arguments = {strace, "-f",  // all its threads
                      "-p",   std::to_string(daemon.process().pid()),
                      "-o",   trace.string(),
                      "-e",   "trace=fdatasync"};
  if (microseconds != 0) {
    launch.arguments.insert(launch.arguments.end(),
                            {"-e", "inject=fdatasync:delay_enter=" + std::to_string(microseconds)});
  }
  return launch;
}

}  // namespace

bool SlowDisk::is_possible() {
  return access(strace, X_OK) == 0;
}

SlowDisk::SlowDisk(const Daemon &daemon, std::chrono::seconds delay)
    : trace_{directory_.path() / "trace"}, strace_{strace_launch(daemon, trace_, delay)} {
  const bool attached = eventually(std::chrono::seconds{20}, [&] {
    return strace_.err().find("attached") != std::string::npos || strace_.wait(Milliseconds{0});
  });
  if (!attached || strace_.wait(Milliseconds{0})) throw std::runtime_error{"strace: " + strace_.err()};
}

// In order, so that no call is left held up.
SlowDisk::~SlowDisk() {
  strace_.signal(SIGTERM);
  (void)strace_.wait(std::chrono::seconds{10});
}

int SlowDisk::syncs() const {
  int found = 0;
  std::ifstream lines{trace_};
  for (std::string line; std::getline(lines, line);) found += line.find("fdatasync(") != std::string::npos;
  return found;
}

}  // namespace iptrackd::scenario
