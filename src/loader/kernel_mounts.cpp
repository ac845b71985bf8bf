#include "loader/kernel_mounts.h"

#include <sys/mount.h>
#include <sys/syscall.h>

namespace iptrackd::loader {

Result<Fd> open_kernel_file_system(const std::string &file_system) {
  const Fd context{fsopen(file_system.c_str(), FSOPEN_CLOEXEC)};
  if (!context) return fail_errno("cannot open the file system " + file_system);
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return fail_errno("cannot set up the file system " + file_system);
  }
  Fd root{fsmount(context.get(), FSMOUNT_CLOEXEC, 0)};
  if (!root) return fail_errno("cannot mount the file system " + file_system);
  return root;
}

}  // namespace iptrackd::loader
