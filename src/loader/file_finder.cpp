#include "loader/file_finder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <system_error>
#include <vector>

namespace iptrackd::loader {
namespace {

// As the kernel has it (path_resolution(7)).
constexpr int links_max = 40;

bool is_absence(int code) noexcept {
  return code == ENOENT || code == ENOTDIR || code == ELOOP || code == ENAMETOOLONG;
}

// Puts the names of PATH on NAMES, the first one last. An empty one is like ".".
void push_names(std::vector<std::string> &names, std::string_view path) {
  while (true) {
    const auto slash = path.rfind('/');
    names.emplace_back(path.substr(slash == std::string_view::npos ? 0 : slash + 1));
    if (slash == std::string_view::npos) return;
    path.remove_suffix(path.size() - slash);
  }
}

// Where the symbolic link NAME leads; none: it is no link, or is not there.
std::string link_target(int directory, const std::string &name) {
  std::array<char, PATH_MAX> target{};
  const auto size = readlinkat(directory, name.c_str(), target.data(), target.size());
  return size > 0 ? std::string(target.data(), static_cast<std::size_t>(size)) : std::string{};
}

// A way through directories. It never leaves the one that it begins in: `..` goes back where it came from.
class Way {
 public:
  explicit Way(int root) noexcept : root_{root} {}

  [[nodiscard]] int here() const noexcept { return passed_.empty() ? root_ : passed_.back().get(); }
  void restart() noexcept { passed_.clear(); }
  void back() noexcept {
    if (!passed_.empty()) passed_.pop_back();
  }
  // errno says why not.
  bool enter(const std::string &name, int flags) {
    Fd next{openat(here(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC | flags)};
    if (!next) return false;
    passed_.push_back(std::move(next));
    return true;
  }
  [[nodiscard]] Fd end() && {
    if (passed_.empty()) return {};
    return std::move(passed_.back());
  }

 private:
  int root_;
  std::vector<Fd> passed_;
};

Result<Fd> follow(int root, const std::string &path) {
  Way way{root};
  std::vector<std::string> names;
  push_names(names, path);
  for (int links = 0; !names.empty();) {
    const std::string name = std::move(names.back());
    names.pop_back();
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      way.back();
    } else if (const auto target = link_target(way.here(), name); !target.empty()) {
      if (++links > links_max) return Fd{};
      if (target.front() == '/') way.restart();
      push_names(names, target);
    } else if (!way.enter(name, names.empty() ? 0 : O_DIRECTORY)) {
      if (is_absence(errno)) return Fd{};
      return fail_errno(name);
    }
  }
  return std::move(way).end();
}

}  // namespace

Result<FileFinder> FileFinder::make() {
  Fd root{::open("/proc/1/root", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (root) return FileFinder{std::move(root), {}};
  std::string reason = "/proc/1/root: " + std::generic_category().message(errno);
  root = Fd{::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!root) return fail_errno("cannot open the root directory");
  return FileFinder{std::move(root), std::move(reason)};
}

Result<Fd> FileFinder::open(const std::string &path) const {
  auto file = follow(root_.get(), path);
  struct stat status {};
  if (!file || !*file) return file;
  if (fstat(file->get(), &status) != 0) return fail_errno(path);
  if (!S_ISREG(status.st_mode)) return Fd{};
  return file;
}

}  // namespace iptrackd::loader
