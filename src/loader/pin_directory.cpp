#include "loader/pin_directory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <system_error>

namespace iptrackd::loader {
namespace {

namespace fs = std::filesystem;

std::optional<std::uint32_t> number_of(const std::string &name) {
  std::uint32_t number = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (code != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return number;
}

Result<void> check_directory(int fd, const std::string &path) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return fail_errno("cannot examine " + path);
  if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(Fault::environment, path + " is not root's alone (chown root, chmod 700)");
  }
  return {};
}

}  // namespace

Result<void> PinDirectory::check(const std::string &path) {
  struct statfs file_system {};
  const std::string parent = fs::path{path}.parent_path();
  // Where a symbolic link leads to does not matter: open() refuses it.
  std::error_code ignored;
  const bool is_link = fs::is_symlink(fs::symlink_status(path, ignored));
  if ((is_link || statfs(path.c_str(), &file_system) != 0) && statfs(parent.c_str(), &file_system) != 0) {
    return fail_errno("cannot examine " + parent);
  }
  if (file_system.f_type == BPF_FS_MAGIC) return {};
  return fail(Fault::environment,
              path + " is on no bpf file system (mount -t bpf bpf /sys/fs/bpf makes one)");
}

Result<PinDirectory> PinDirectory::open(const std::string &path) {
  // bpf_lookup in the kernel's kernel/bpf/inode.c
  if (fs::path{path}.filename().string().find('.') != std::string::npos) {
    return fail(Fault::usage,
                "the name of the pin directory " + path + " holds a dot, which a bpf file system refuses");
  }
  const bool is_new = mkdir(path.c_str(), 0700) == 0;
  if (!is_new && errno != EEXIST) return fail_errno("cannot make " + path);
  Fd directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!directory) return fail_errno("cannot open " + path);
  if (auto good = check_directory(directory.get(), path); !good) {
    if (is_new) rmdir(path.c_str());
    return tl::unexpected{good.error()};
  }
  if (flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno("cannot lock " + path);
    return fail(Fault::environment, "another daemon uses the pin directory " + path);
  }
  return PinDirectory{path, std::move(directory)};
}

std::vector<std::uint32_t> PinDirectory::sets() const {
  std::vector<std::uint32_t> numbers;
  std::error_code error;
  for (const auto &entry : fs::directory_iterator{path_, error}) {
    if (const auto number = number_of(entry.path().filename().string())) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Result<void> PinDirectory::make_set(std::uint32_t number) const {
  const std::string path = path_ + "/" + std::to_string(number);
  if (mkdir(path.c_str(), 0700) != 0) return fail_errno("cannot make " + path);
  return {};
}

void PinDirectory::remove_set(std::uint32_t number) const {
  std::error_code ignored;
  fs::remove_all(path_ + "/" + std::to_string(number), ignored);
}

void PinDirectory::remove_links(std::uint32_t number) const {
  std::error_code error;
  for (const auto &entry : fs::directory_iterator{path_ + "/" + std::to_string(number), error}) {
    if (entry.path().filename().string().starts_with("link_")) unlink(entry.path().c_str());
  }
}

void PinDirectory::remove() const {
  for (const auto number : sets()) remove_set(number);
  std::error_code ignored;
  for (const auto &entry : fs::directory_iterator{path_, ignored}) unlink(entry.path().c_str());
  rmdir(path_.c_str());
}

std::string PinDirectory::pin(std::uint32_t set, std::string_view name) const {
  std::string path = path_ + "/" + std::to_string(set) + "/" + std::string{name};
  // The file system keeps dots for itself (bpf_lookup in the kernel's kernel/bpf/inode.c).
  std::replace(path.begin() + static_cast<std::ptrdiff_t>(path_.size()), path.end(), '.', '_');
  return path;
}

}  // namespace iptrackd::loader
