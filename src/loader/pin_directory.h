// PinDirectory: where the kernel side stays while no daemon runs.
//
//   DIRECTORY/             on a bpf file system, root's alone; whoever holds its lock owns what is in it
//     whitelist_network .. second names of the whitelist's maps that are in force, for people
//     7/                   a set of programs; the number is its generation
//       state              a map of one struct PinnedState; a set without it was never complete
//       map_processes ...  every map but those of constants
//       link_exec_done ... one for each hook that is attached and can be kept
//
// Not thread-safe.
#ifndef IPTRACKD_LOADER_PIN_DIRECTORY_H
#define IPTRACKD_LOADER_PIN_DIRECTORY_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/fd.h"
#include "core/result.h"

namespace iptrackd::loader {

class PinDirectory {
 public:
  // Can anything be pinned at PATH? Error (environment): there is no bpf file system.
  [[nodiscard]] static Result<void> check(const std::string &path);

  // Makes the directory where it is missing (0700), and takes its lock. Faults: environment: it is on no bpf
  // file system, is not root's alone, is a symbolic link, or another daemon has the lock.
  [[nodiscard]] static Result<PinDirectory> open(const std::string &path);

  // The numbers of all sets, complete or not; rising.
  [[nodiscard]] std::vector<std::uint32_t> sets() const;
  [[nodiscard]] Result<void> make_set(std::uint32_t number) const;
  // Takes out a set: its programs stop unless something else holds them.
  void remove_set(std::uint32_t number) const;
  // Takes out what holds the programs of a set, and leaves its maps.
  void remove_links(std::uint32_t number) const;
  // Takes out everything, the directory too.
  void remove() const;

  // "DIRECTORY/7/link_exec_done"
  [[nodiscard]] std::string pin(std::uint32_t set, std::string_view name) const;
  [[nodiscard]] const std::string &path() const noexcept { return path_; }

 private:
  PinDirectory(std::string path, Fd lock) : path_{std::move(path)}, lock_{std::move(lock)} {}

  std::string path_;
  Fd lock_;
};

}  // namespace iptrackd::loader

#endif
