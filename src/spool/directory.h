// Directory: the place on the disk, locked against a second daemon, and the small files in it.
//
//   lock           held with flock as long as the spool is open
//   uuid           the spool's UUID, a newline, the salt of its checksums in hexadecimal, a newline
//   acknowledged   acknowledged.h
//   *.seg          segment.h
//   *.tmp          files that were being made; overwritten
//
// Not thread-safe but for fd() and path().
#ifndef IPTRACKD_SPOOL_DIRECTORY_H
#define IPTRACKD_SPOOL_DIRECTORY_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/fd.h"
#include "core/result.h"
#include "spool/io.h"

namespace iptrackd::spool {

struct Identity {
  std::string uuid;
  std::uint64_t salt = 0;
};

class Directory {
 public:
  // Creates it (0700) and its parents (0755) where they are missing, and locks it. Fault environment: it is a
  // symbolic link, not ours, writable by others, or used by another daemon. IO must outlive it.
  [[nodiscard]] static Result<Directory> open(Io &io, const std::string &path);

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] const std::string &path() const noexcept { return path_; }
  // "PATH/NAME", for messages.
  [[nodiscard]] std::string path_of(std::string_view name) const { return path_ + "/" + std::string{name}; }

  // nullopt: there is none, or it cannot be understood.
  [[nodiscard]] Result<std::optional<Identity>> identity() const;
  // Durable when it returns; never half.
  [[nodiscard]] Result<void> set_identity(const Identity &identity) const;
  // First indexes of the segments, rising.
  [[nodiscard]] Result<std::vector<std::uint64_t>> segments() const;

 private:
  Directory(Io &io, std::string path) : io_{&io}, path_{std::move(path)} {}
  [[nodiscard]] Result<void> create() const;
  [[nodiscard]] Result<void> check(const struct stat &status) const;
  [[nodiscard]] Result<void> lock();

  Io *io_;
  std::string path_;
  Fd fd_;
  Fd lock_;
};

// Of the kernel's random source.
[[nodiscard]] Result<std::string> new_uuid(Io &io);
[[nodiscard]] Result<std::uint64_t> new_salt(Io &io);

}  // namespace iptrackd::spool

#endif
