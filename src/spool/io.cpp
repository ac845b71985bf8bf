#include "spool/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "core/fd.h"

namespace iptrackd::spool {

int Io::open(int directory, const char *name, int flags, mode_t mode) {
  return ::openat(directory, name, flags, mode);
}

int Io::mkdir(const char *path, mode_t mode) {
  return ::mkdir(path, mode);
}

int Io::lstat(const char *path, struct stat &status) {
  return ::lstat(path, &status);
}

int Io::fstat(int fd, struct stat &status) {
  return ::fstat(fd, &status);
}

int Io::flock(int fd, int operation) {
  return ::flock(fd, operation);
}

ssize_t Io::pread(int fd, void *to, std::size_t size, std::uint64_t offset) {
  return ::pread(fd, to, size, static_cast<off_t>(offset));
}

ssize_t Io::pwrite(int fd, const void *from, std::size_t size, std::uint64_t offset) {
  return ::pwrite(fd, from, size, static_cast<off_t>(offset));
}

int Io::ftruncate(int fd, std::uint64_t size) {
  return ::ftruncate(fd, static_cast<off_t>(size));
}

int Io::fdatasync(int fd) {
  return ::fdatasync(fd);
}

int Io::fsync(int fd) {
  return ::fsync(fd);
}

int Io::rename(int directory, const char *from, const char *to) {
  return ::renameat(directory, from, directory, to);
}

int Io::unlink(int directory, const char *name) {
  return ::unlinkat(directory, name, 0);
}

int Io::list(int directory, std::vector<std::string> &names) {
  // Opened anew: a descriptor's position in its directory is shared by its copies.
  Fd fd{::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd) return -1;
  struct Close {
    void operator()(DIR *stream) const noexcept { ::closedir(stream); }
  };
  const std::unique_ptr<DIR, Close> stream{::fdopendir(fd.get())};
  if (!stream) return -1;
  static_cast<void>(fd.release());
  errno = 0;
  while (const dirent *entry = ::readdir(stream.get())) names.emplace_back(&entry->d_name[0]);
  return errno == 0 ? 0 : -1;
}

Transfer write_all(Io &io, int fd, std::string_view bytes, std::uint64_t offset) {
  Transfer done;
  while (done.bytes < bytes.size()) {
    const auto written =
        io.pwrite(fd, bytes.data() + done.bytes, bytes.size() - done.bytes, offset + done.bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      done.code = written < 0 ? errno : ENOSPC;
      break;
    }
    done.bytes += static_cast<std::size_t>(written);
  }
  return done;
}

Transfer read_all(Io &io, int fd, char *to, std::size_t size, std::uint64_t offset) {
  Transfer done;
  while (done.bytes < size) {
    const auto got = io.pread(fd, to + done.bytes, size - done.bytes, offset + done.bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) done.code = errno;
    if (got <= 0) break;
    done.bytes += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace iptrackd::spool
