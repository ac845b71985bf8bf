#include "process.h"

#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <system_error>
#include <thread>

namespace iptrackd::scenario {
namespace {

[[noreturn]] void fail(const std::string &what) {
  throw std::system_error{errno, std::generic_category(), what};
}

Fd output_file(const char *name) {
  Fd file{memfd_create(name, MFD_CLOEXEC)};
  if (!file) fail("memfd_create");
  return file;
}

std::string contents(const Fd &file) {
  std::string text;
  std::array<char, 65536> part{};
  for (;;) {
    const ssize_t length = pread(file.get(), part.data(), part.size(), static_cast<off_t>(text.size()));
    if (length < 0) fail("pread");
    if (length == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(length));
  }
}

// In the new process: no way to report but the exit code.
[[noreturn]] void become(const Launch &launch, int out, int err) {
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  if (launch.prepare) launch.prepare();
  const uid_t user = launch.user.value_or(0);
  if (launch.user &&
      (setgroups(0, nullptr) != 0 || setresgid(user, user, user) != 0 || setresuid(user, user, user) != 0)) {
    _exit(126);
  }
  std::vector<char *> arguments;
  for (const std::string &argument : launch.arguments)
    arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);
  execv(launch.program.empty() ? arguments.front() : launch.program.c_str(), arguments.data());
  _exit(127);
}

}  // namespace

Process::Process(const Launch &launch) : out_{output_file("stdout")}, err_{output_file("stderr")} {
  pid_ = fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) become(launch, out_.get(), err_.get());
  handle_ = Fd{static_cast<int>(syscall(SYS_pidfd_open, pid_, 0))};
  if (!handle_) fail("pidfd_open");
}

Process::Process(Process &&other) noexcept
    : pid_{std::exchange(other.pid_, -1)},
      out_{std::move(other.out_)},
      err_{std::move(other.err_)},
      handle_{std::move(other.handle_)},
      status_{other.status_} {}

Process::~Process() {
  if (pid_ < 0 || status_) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Process::signal(int number) const {
  if (!status_ && kill(pid_, number) != 0) fail("kill");
}

std::optional<int> Process::wait(Milliseconds timeout) {
  if (status_) return status_;
  pollfd ended{handle_.get(), POLLIN, 0};
  if (poll(&ended, 1, static_cast<int>(timeout.count())) != 1) return std::nullopt;
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) fail("waitpid");
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return status_;
}

std::string Process::out() const {
  return contents(out_);
}
std::string Process::err() const {
  return contents(err_);
}

Ended run(const Launch &launch, Milliseconds timeout) {
  Process process{launch};
  if (!process.wait(timeout)) process.signal(SIGKILL);
  const int status = process.wait(std::chrono::seconds{10}).value();
  return {status, process.out(), process.err()};
}

bool eventually(Milliseconds timeout, const std::function<bool()> &done, Milliseconds step) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(step);
  }
  return true;
}

}  // namespace iptrackd::scenario
