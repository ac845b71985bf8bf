#include "pam/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>

namespace iptrackd::pam {
namespace {

// A name with a dot in front is a file that is being written. After this time its callback has died over it.
constexpr std::time_t unfinished_seconds = 60;

// Callbacks stop at 10,000; more of them are taken in the next round.
constexpr std::size_t most_names = 20'000;

struct CloseDirectory {
  void operator()(DIR *directory) const noexcept { ::closedir(directory); }
};

std::vector<std::string> sorted_names(int directory) {
  std::vector<std::string> names;
  // fdopendir() takes a descriptor over, and the caller keeps using its own.
  Fd copy{::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  const std::unique_ptr<DIR, CloseDirectory> stream{copy ? ::fdopendir(copy.get()) : nullptr};
  if (!stream) return names;
  static_cast<void>(copy.release());
  while (const dirent *entry = ::readdir(stream.get())) {
    const std::string_view name{entry->d_name};
    if (name != "." && name != ".." && names.size() < most_names) names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The whole file, if it is a regular one of ours and no longer than a record.
std::optional<std::vector<std::uint8_t>> read_file(int directory, const std::string &name) {
  const Fd fd{::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) < 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
      status.st_size > IPTRACKD_PAM_RECORD_MAX) {
    return std::nullopt;
  }
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(status.st_size));
  const ssize_t size = ::read(fd.get(), bytes.data(), bytes.size());
  if (size != status.st_size) return std::nullopt;
  return bytes;
}

bool is_one_record(Bytes bytes) {
  const Frame frame = inspect_frame(bytes);
  return frame.state == Frame::State::whole && frame.size == bytes.size();
}

// Whether to leave NAME alone for now: a callback is writing it, or it is a directory, which no callback
// makes.
bool is_not_ours(int directory, const std::string &name) {
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(status.st_mode))
    return true;
  return name.front() == '.' && status.st_mtime > std::time(nullptr) - unfinished_seconds;
}

}  // namespace

Result<Fd> Leftovers::open_directory() const {
  Fd fd{::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd) return fail_errno("cannot open the directory " + directory_);
  struct stat status {};
  if (::fstat(fd.get(), &status) < 0) return fail_errno("cannot examine " + directory_);
  if (status.st_uid == geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return fd;
  return fail(Fault::environment,
              directory_ + " can be written by others than root, who could forge logins; remove it");
}

Result<void> Leftovers::check() const {
  struct stat status {};
  if (::lstat(directory_.c_str(), &status) < 0 && errno == ENOENT) return {};
  return open_directory().map([](const Fd &) {});
}

std::uint64_t Leftovers::visit(const std::function<Verdict(Bytes record, std::uint64_t ticket)> &visit) {
  const auto directory = open_directory();
  if (!directory) return 0;
  std::uint64_t bad = 0;
  for (const std::string &name : sorted_names(directory->get())) {
    if (taken_.contains(name) || is_not_ours(directory->get(), name)) continue;
    const auto bytes = read_file(directory->get(), name);
    const std::uint64_t ticket = ++last_ticket_;
    const Verdict verdict = bytes && is_one_record(*bytes) ? visit(*bytes, ticket) : Verdict::bad;
    if (verdict == Verdict::later) break;
    if (verdict == Verdict::taken) {
      taken_.emplace(name, ticket);
      continue;
    }
    ++bad;
    ::unlinkat(directory->get(), name.c_str(), 0);
  }
  return bad;
}

void Leftovers::settle(std::uint64_t ticket) {
  const auto file = std::find_if(taken_.begin(), taken_.end(),
                                 [ticket](const auto &taken) { return taken.second == ticket; });
  const auto directory = open_directory();
  if (file == taken_.end() || !directory) return;
  ::unlinkat(directory->get(), file->first.c_str(), 0);
  taken_.erase(file);
}

Result<void> Leftovers::leave(Bytes record) {
  if (::mkdir(directory_.c_str(), S_IRWXU) < 0 && errno != EEXIST)
    return fail_errno("cannot create " + directory_);
  const auto directory = open_directory();
  if (!directory) return tl::unexpected{directory.error()};

  std::int64_t real_ns = 0;
  std::memcpy(&real_ns, record.data() + offsetof(iptrackd_pam_header, real_ns), sizeof(real_ns));
  std::array<char, 96> hidden{};
  std::snprintf(hidden.data(), hidden.size(), ".%020lld.%d.%llu",
                static_cast<long long>(std::max<std::int64_t>(real_ns, 0)), ::getpid(),
                static_cast<unsigned long long>(left_++));
  const Fd fd{::openat(directory->get(), hidden.data(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                       S_IRUSR | S_IWUSR)};
  if (!fd) return fail_errno("cannot create a file in " + directory_);
  const bool written = ::write(fd.get(), record.data(), record.size()) == static_cast<ssize_t>(record.size());
  if (written && ::renameat(directory->get(), hidden.data(), directory->get(), hidden.data() + 1) == 0)
    return {};
  const int code = errno;
  ::unlinkat(directory->get(), hidden.data(), 0);
  return fail_errno("cannot write a file in " + directory_, code);
}

}  // namespace iptrackd::pam
