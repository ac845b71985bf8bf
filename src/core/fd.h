// Fd: a file descriptor that closes itself.
#ifndef IPTRACKD_CORE_FD_H
#define IPTRACKD_CORE_FD_H

#include <unistd.h>

#include <utility>

namespace iptrackd {

class Fd {
 public:
  Fd() noexcept = default;
  explicit Fd(int fd) noexcept : fd_{fd} {}  // takes ownership; -1 is "none"
  Fd(Fd &&other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  Fd &operator=(Fd &&other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  Fd(const Fd &) = delete;
  Fd &operator=(const Fd &) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace iptrackd

#endif
