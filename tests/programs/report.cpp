#include "report.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace iptrackd::oracle {
namespace {

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0) die("write the report");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

// One line, without its newline; everything up to the end where no newline comes.
std::string read_line(int fd) {
  std::string line;
  std::array<char, 4096> part{};
  while (!line.ends_with('\n')) {
    const ssize_t length = read(fd, part.data(), part.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) die("read a child's report");
    if (length == 0) break;
    line.append(part.data(), static_cast<std::size_t>(length));
  }
  return line;
}

}  // namespace

std::string Report::text() const {
  return Json{{"events", rows_}}.dump() + "\n";
}

bool Child::fork_with_pipe() {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) die("pipe");
  pid_ = fork();
  if (pid_ < 0) die("fork");
  const bool is_child = pid_ == 0;
  close(ends[is_child ? 0 : 1]);
  pipe_ = ends[is_child ? 1 : 0];
  return is_child;
}

Child::Child(const Deed &deed, End end) {
  if (!fork_with_pipe()) return;
  Report report;
  deed(report);
  write_all(pipe_,
            Json{{"events", report.rows_}, {"open", report.left_open_}, {"ended", now()}}.dump() + "\n");
  if (end == End::exit) _exit(0);
  for (;;) pause();
}

Child Child::becoming(const std::function<void()> &program) {
  Child child;
  if (!child.fork_with_pipe()) return child;
  if (dup2(child.pipe_, STDOUT_FILENO) < 0) die("dup2");
  close(child.pipe_);
  program();
  die("execve");
}

void Child::wait(Report &report, bool kill) {
  const std::string line = read_line(pipe_);
  if (line.empty()) die("a child ended without a report");
  Span ended;
  ended.from = now();
  if (kill && ::kill(pid_, SIGKILL) != 0) die("kill");
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) die("waitpid");
  }
  ended.to = now();
  close(pipe_);
  const bool as_planned = kill ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!as_planned) die("a child did not end as planned");

  const Json child = Json::parse(line);
  for (const Json &row : child.at("events")) report.add(row);
  if (!kill && child.contains("ended")) ended.from = child.at("ended").get<Moment>();
  for (const Json &open : child.value("open", Json::array())) {
    Json row = open.at("row");
    row["ts"] = ts_within(ended);
    if (!row.contains("duration")) row["duration"] = duration_between(open.at("begun").get<Span>(), ended);
    report.add(std::move(row));
  }
}

void print(const Report &report) {
  write_all(STDOUT_FILENO, report.text());
}

}  // namespace iptrackd::oracle
