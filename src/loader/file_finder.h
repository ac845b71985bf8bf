// FileFinder: opens files as the host's first process sees them: in its mount namespace, below its root. A
// daemon in a container, or in a mount namespace of its own, means the host's files all the same.
#ifndef IPTRACKD_LOADER_FILE_FINDER_H
#define IPTRACKD_LOADER_FILE_FINDER_H

#include <string>
#include <utility>

#include "core/fd.h"
#include "core/result.h"

namespace iptrackd::loader {

class FileFinder {
 public:
  // Where this process may not look into /proc/1/root it is its own root that is searched.
  [[nodiscard]] static Result<FileFinder> make();
  // Why it is our own root; empty: it is the host's.
  [[nodiscard]] const std::string &own_root() const noexcept { return own_root_; }

  // Symbolic links are followed, below that root, by system calls that sandboxes leave: openat2 does the
  // same, and systemd's RestrictSUIDSGID= forbids it. The descriptor cannot be read from. An empty one: there
  // is no regular file at PATH, an absolute path. Environment: whether there is one cannot be known.
  [[nodiscard]] Result<Fd> open(const std::string &path) const;

 private:
  FileFinder(Fd root, std::string own_root) : root_{std::move(root)}, own_root_{std::move(own_root)} {}

  Fd root_;
  std::string own_root_;
};

}  // namespace iptrackd::loader

#endif
