// Naive: the control of the evasion scenarios, a tracer of system call entries (programs/naive.cpp). A
// scenario runs it beside the daemon, and shows that it misses or misreads the deed of which the daemon's
// rows are right.
#ifndef IPTRACKD_TESTS_SCENARIOS_NAIVE_H
#define IPTRACKD_TESTS_SCENARIOS_NAIVE_H

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "deed.h"

namespace iptrackd::scenario {

// What it reported of some processes, in the order in which it read its ring. The keys of a report:
// programs/naive.cpp.
class NaiveReports {
 public:
  explicit NaiveReports(const std::vector<Json> &reports);

  [[nodiscard]] std::vector<Json> calls(const std::string &call, int pid) const;
  // The names of the files that a process asked to execute, in their order.
  [[nodiscard]] std::vector<std::string> names(int pid) const;
  // How often anybody asked to execute the file of this name.
  [[nodiscard]] std::int64_t executed(const std::string &name) const;
  // Does a connect of that process to the port of this expected row stand there?
  [[nodiscard]] bool tells_connect(const Json &connect) const;
  // Does a close(2) of the descriptor that was connected stand there, by the process and at the time of this
  // expected row? CONNECT is the row of the connect.
  [[nodiscard]] bool tells_close(const Json &connect, const Json &close) const;

 private:
  [[nodiscard]] const std::vector<Json> &of_process(int pid) const;
  [[nodiscard]] std::optional<Json> connect_of(const Json &connect) const;

  std::map<int, std::vector<Json>> by_pid_;
};

class Naive {
 public:
  // WORDS are its options. Returns when it traces; throws std::runtime_error with its message where it
  // cannot.
  explicit Naive(const Words &words = {});
  // Stops it and returns what it has read.
  [[nodiscard]] NaiveReports stop();
  // kill -9: what it has not printed is gone.
  void kill();

 private:
  Process process_;
};

}  // namespace iptrackd::scenario

#endif
