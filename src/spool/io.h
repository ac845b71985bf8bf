// Io: every system call of this room that can fail. The base class is the real thing; a test derives from it
// and lets the Nth call fail, or write half.
//
// Each returns what the system call returns and sets errno. Names are relative to DIRECTORY, a descriptor.
// Thread-safe as the system calls are.
#ifndef IPTRACKD_SPOOL_IO_H
#define IPTRACKD_SPOOL_IO_H

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace iptrackd::spool {

class Io {
 public:
  Io() = default;
  Io(const Io &) = delete;
  Io &operator=(const Io &) = delete;
  virtual ~Io() = default;

  virtual int open(int directory, const char *name, int flags, mode_t mode);
  virtual int mkdir(const char *path, mode_t mode);
  virtual int lstat(const char *path, struct stat &status);
  virtual int fstat(int fd, struct stat &status);
  virtual int flock(int fd, int operation);
  virtual ssize_t pread(int fd, void *to, std::size_t size, std::uint64_t offset);
  virtual ssize_t pwrite(int fd, const void *from, std::size_t size, std::uint64_t offset);
  virtual int ftruncate(int fd, std::uint64_t size);
  virtual int fdatasync(int fd);
  virtual int fsync(int fd);
  virtual int rename(int directory, const char *from, const char *to);
  virtual int unlink(int directory, const char *name);
  // Adds the names in DIRECTORY to NAMES.
  virtual int list(int directory, std::vector<std::string> &names);
};

// How far a transfer came, and the errno that ended it; 0: all of it, or the end of the file.
struct Transfer {
  std::size_t bytes = 0;
  int code = 0;
};

// Goes on after interruptions and partial transfers.
[[nodiscard]] Transfer write_all(Io &io, int fd, std::string_view bytes, std::uint64_t offset);
[[nodiscard]] Transfer read_all(Io &io, int fd, char *to, std::size_t size, std::uint64_t offset);

}  // namespace iptrackd::spool

#endif
