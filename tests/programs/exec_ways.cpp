#include "exec_ways.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <thread>

namespace iptrackd::oracle {
namespace {

class Arguments {
 public:
  explicit Arguments(std::string program) : program_{std::move(program)} {}
  [[nodiscard]] char *const *get() const { return words_.data(); }

 private:
  std::string program_;
  std::string word_{"self"};
  std::array<char *, 3> words_{program_.data(), word_.data(), nullptr};
};

Fd opened(const std::string &path, int flags) {
  Fd file{open(path.c_str(), flags | O_CLOEXEC)};
  if (!file) die("open " + path);
  return file;
}

void exec_in_directory() {
  const std::filesystem::path path = own_path();
  const Fd directory = opened(path.parent_path(), O_RDONLY | O_DIRECTORY);
  const Arguments arguments{path};
  execveat(directory.get(), path.filename().c_str(), arguments.get(), environ, 0);
}

void exec_descriptor() {
  const Fd program = opened(own_path(), O_RDONLY);
  fexecve(program.get(), Arguments{"by a descriptor"}.get(), environ);
}

void exec_memfd() {
  const Fd original = opened(own_path(), O_RDONLY);
  const Fd copy{memfd_create("nowhere", MFD_CLOEXEC)};
  struct stat status {};
  if (!copy || fstat(original.get(), &status) != 0) die("memfd_create");
  for (off_t left = status.st_size; left > 0;) {
    const ssize_t count = sendfile(copy.get(), original.get(), nullptr, static_cast<std::size_t>(left));
    if (count <= 0) die("copy into a memfd");
    left -= count;
  }
  fexecve(copy.get(), Arguments{"in memory"}.get(), environ);
}

// Ends this process as PID ended; its report has gone to the same pipe.
[[noreturn]] void end_like(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) die("waitpid");
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

void exec_after_vfork() {
  const std::string path = own_path();
  const Arguments arguments{path};
  const pid_t pid = vfork();
  if (pid == 0) {
    execv(path.c_str(), arguments.get());
    _exit(127);
  }
  if (pid > 0) end_like(pid);
}

void spawn() {
  const std::string path = own_path();
  pid_t pid = 0;
  errno = posix_spawn(&pid, path.c_str(), nullptr, nullptr, Arguments{path}.get(), environ);
  if (errno == 0) end_like(pid);
}

void exec_in_thread() {
  const std::string path = own_path();
  const Arguments arguments{path};
  std::thread{[&] { execv(path.c_str(), arguments.get()); }}.join();
}

}  // namespace

bool exec_in_a_way(const Options &options, Report &report) {
  const std::map<std::string, void (*)()> ways{
      {"directory", exec_in_directory},
      {"descriptor", exec_descriptor},
      {"memfd", exec_memfd},
      {"vfork", exec_after_vfork},
      {"spawn", spawn},
      {"thread", exec_in_thread},
  };
  const auto way = ways.find(options.text("how", ""));
  if (way == ways.end()) return false;
  Child::becoming(way->second).wait(report);
  return true;
}

}  // namespace iptrackd::oracle
