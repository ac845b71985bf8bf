#include "loader/file_finder.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace iptrackd::loader {

Result<FileFinder> FileFinder::make() {
  Fd root{::open("/proc/1/root", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (root) return FileFinder{std::move(root), {}};
  std::string reason = "/proc/1/root: " + std::generic_category().message(errno);
  root = Fd{::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!root) return fail_errno("cannot open the root directory");
  return FileFinder{std::move(root), std::move(reason)};
}

Fd FileFinder::open(const std::string &path) const {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT;
  Fd file{static_cast<int>(syscall(SYS_openat2, root_.get(), path.c_str(), &how, sizeof(how)))};
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return file;
}

}  // namespace iptrackd::loader
