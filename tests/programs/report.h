// Report: the rows that a deed must leave, gathered over all processes that take part in it.
#ifndef IPTRACKD_TESTS_PROGRAMS_REPORT_H
#define IPTRACKD_TESTS_PROGRAMS_REPORT_H

#include <functional>
#include <vector>

#include "facts.h"

namespace iptrackd::oracle {

class Report {
 public:
  void add(Json expected_row) { rows_.push_back(std::move(expected_row)); }
  // A close row whose moment only the parent can know, because this process will be gone; BEGUN as in Socket.
  void add_open(Json close_row, const Span &begun) {
    left_open_.push_back({{"row", std::move(close_row)}, {"begun", begun}});
  }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // {"events": [...]}, one line.
  [[nodiscard]] std::string text() const;

 private:
  friend class Child;
  Json rows_ = Json::array();
  Json left_open_ = Json::array();
};

// A forked process that performs a deed and reports through a pipe. wait() must be called.
class Child {
 public:
  // What a child does after it has reported.
  enum class End {
    exit,   // ends itself at once
    pause,  // waits to be killed
  };
  using Deed = std::function<void(Report &)>;

  explicit Child(const Deed &deed, End end = End::exit);
  // For a program that takes the child's place by execve and prints its own report: PROGRAM is called with
  // standard output on the pipe, and returns only on failure.
  [[nodiscard]] static Child becoming(const std::function<void()> &program);

  // Takes over the child's rows; what it left open was closed by its end, or by SIGKILL where KILL is set.
  void wait(Report &report, bool kill = false);
  [[nodiscard]] int pid() const { return pid_; }

 private:
  Child() = default;
  bool fork_with_pipe();
  int pid_ = -1;
  int pipe_ = -1;  // the parent's end is read, the child's written
};

// The rest of a program that a Child became or a test started: prints its report on standard output.
void print(const Report &report);

}  // namespace iptrackd::oracle

#endif
