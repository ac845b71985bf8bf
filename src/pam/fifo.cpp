#include "pam/fifo.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

namespace iptrackd::pam {
namespace {

// An earlier daemon may remove its FIFO between our look and our lock; each turn begins anew.
constexpr int attempts = 5;

std::string directory_of(const std::string &path) {
  return std::filesystem::path{path}.parent_path().string();
}

// The PID that holds the lock on the file of STATUS, as /proc/locks tells it: "1: FLOCK ADVISORY WRITE 123
// 00:1a:4711 0 EOF". Compared by inode alone, since some file systems show another device there; it is for a
// message only.
std::optional<std::string> lock_holder(const struct stat &status) {
  std::ifstream locks{"/proc/locks"};
  std::string line;
  while (std::getline(locks, line)) {
    std::istringstream words{line};
    std::string number, type, advisory, access, pid, file;
    words >> number >> type >> advisory >> access >> pid >> file;
    const auto colon = file.rfind(':');
    if (type != "FLOCK" || colon == std::string::npos) continue;
    if (file.substr(colon + 1) == std::to_string(status.st_ino)) return pid;
  }
  return std::nullopt;
}

// A lock outlives its process where somebody else has the same file open, as systemd has. Those of other PID
// namespaces are 0 there.
bool is_gone(const std::string &pid) {
  return pid != "0" && !std::filesystem::exists("/proc/" + pid);
}

std::string octal(mode_t mode) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode & 07777));
  return text.data();
}

// Whether STATUS is a FIFO that nobody but us can have opened.
Result<void> check(const std::string &path, const struct stat &status) {
  if (!S_ISFIFO(status.st_mode)) {
    const char *what = S_ISLNK(status.st_mode) ? "is a symbolic link" : "exists and is not a FIFO";
    return fail(Fault::environment, path + " " + what + "; remove it, or set pam.fifo-file to another path");
  }
  if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(Fault::environment, path + " is a FIFO of uid " + std::to_string(status.st_uid) +
                                        " with mode " + octal(status.st_mode) +
                                        ", so others could forge logins; remove it");
  }
  return {};
}

}  // namespace

Result<Fifo> Fifo::open(const std::string &path, std::size_t pipe_bytes) {
  Fifo fifo{path};
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (auto made = fifo.create(); !made) return tl::unexpected{made.error()};
    if (auto opened = fifo.open_checked(); !opened) return tl::unexpected{opened.error()};
    if (!fifo.fd_) continue;
    if (auto locked = fifo.lock(); !locked) return tl::unexpected{locked.error()};
    if (!fifo.is_at_path()) continue;
    if (::fchmod(fifo.fd(), S_IRUSR | S_IWUSR) < 0) return fail_errno("cannot set the mode of " + path);
    fifo.prepare(pipe_bytes);
    return fifo;
  }
  return fail(Fault::environment, path + " is removed again and again by somebody else");
}

Result<Fifo> Fifo::adopt(const std::string &path, Fd inherited, std::size_t pipe_bytes) {
  Fifo fifo{path};
  fifo.fd_ = std::move(inherited);
  fifo.adopted_ = true;
  struct stat status {};
  if (::fstat(fifo.fd(), &status) < 0) return fail_errno("cannot examine " + path);
  if (auto checked = check(path, status); !checked) return tl::unexpected{checked.error()};
  if (!fifo.is_at_path())
    return fail(Fault::environment,
                path + " is not the FIFO that systemd holds; restart iptrackd-pam.socket");
  if (auto locked = fifo.lock(); !locked) return tl::unexpected{locked.error()};
  if (::fcntl(fifo.fd(), F_SETFL, O_NONBLOCK) < 0) return fail_errno("cannot prepare " + path);
  fifo.prepare(pipe_bytes);
  return fifo;
}

void Fifo::prepare(std::size_t pipe_bytes) const noexcept {
  // A smaller pipe only fills earlier; the callbacks wait then.
  static_cast<void>(::fcntl(fd(), F_SETPIPE_SZ, static_cast<int>(pipe_bytes)));
}

Fifo::Fifo(Fifo &&other) noexcept
    : path_{std::move(other.path_)},
      fd_{std::move(other.fd_)},
      adopted_{other.adopted_},
      created_{std::exchange(other.created_, false)},
      created_directory_{std::exchange(other.created_directory_, false)} {}

Fifo::~Fifo() {
  if (created_ && fd_) remove();
  // The lock is the open file's, which is not ours alone.
  if (adopted_ && fd_) ::flock(fd(), LOCK_UN);
  if (created_directory_) ::rmdir(directory_of(path_).c_str());  // refused when anything is in it
}

Result<void> Fifo::create() {
  const std::string directory = directory_of(path_);
  created_ = ::mkfifo(path_.c_str(), S_IRUSR | S_IWUSR) == 0;
  if (!created_ && errno == ENOENT && !directory.empty()) {
    if (::mkdir(directory.c_str(), S_IRWXU) == 0) {
      created_directory_ = true;
    } else if (errno != EEXIST) {
      return fail_errno("cannot create the directory of " + path_);
    }
    created_ = ::mkfifo(path_.c_str(), S_IRUSR | S_IWUSR) == 0;
  }
  if (!created_ && errno != EEXIST) return fail_errno("cannot create the FIFO " + path_);
  return {};
}

// Leaves fd_ empty when the name vanished meanwhile. Looks before it opens, because opening a device can have
// effects, and again on the descriptor, because the name may have changed hands.
Result<void> Fifo::open_checked() {
  struct stat status {};
  fd_.reset();
  if (::lstat(path_.c_str(), &status) < 0) {
    if (errno == ENOENT) return {};
    return fail_errno("cannot examine " + path_);
  }
  if (auto checked = check(path_, status); !checked) return checked;
  Fd fd{::open(path_.c_str(), O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC)};
  if (!fd) {
    if (errno == ENOENT) return {};
    return fail_errno("cannot open the FIFO " + path_);
  }
  if (::fstat(fd.get(), &status) < 0) return fail_errno("cannot examine " + path_);
  if (auto checked = check(path_, status); !checked) return checked;
  fd_ = std::move(fd);
  return {};
}

Result<void> Fifo::lock() {
  if (::flock(fd(), LOCK_EX | LOCK_NB) == 0) return {};
  const int code = errno;
  created_ = false;  // whoever was quicker with the lock owns it
  if (code != EWOULDBLOCK) return fail_errno("cannot lock the FIFO " + path_, code);
  struct stat status {};
  std::optional<std::string> holder;
  if (::fstat(fd(), &status) == 0) holder = lock_holder(status);
  if (holder && is_gone(*holder))
    return fail(Fault::environment, path_ +
                                        " is held for the daemon that systemd starts next; the last (PID " +
                                        *holder + ") was killed: `systemctl status iptrackd`");
  return fail(Fault::environment, "another daemon" + (holder ? " (PID " + *holder + ")" : std::string{}) +
                                      " reads " + path_ + " already");
}

bool Fifo::is_at_path() const noexcept {
  struct stat ours {
  }, there{};
  return ::fstat(fd(), &ours) == 0 && ::lstat(path_.c_str(), &there) == 0 && ours.st_dev == there.st_dev &&
         ours.st_ino == there.st_ino;
}

void Fifo::remove() noexcept {
  if (!adopted_ && is_at_path()) ::unlink(path_.c_str());
}

}  // namespace iptrackd::pam
