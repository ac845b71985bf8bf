// A configuration file: every one is either accepted or refused with a position, and none takes long.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "config/load.h"
#include "fuzz/demand.h"

namespace {

int make_file() {
  const int file = memfd_create("configuration", MFD_CLOEXEC);
  // A file that others can open may hold no password, and would be refused for that alone.
  iptrackd::fuzz::demand(file >= 0 && fchmod(file, 0600) == 0, "there is a file to write to");
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using iptrackd::fuzz::demand;
  static const int file = make_file();
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  demand(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == static_cast<ssize_t>(size),
         "the file can be written");
  const auto config = iptrackd::config::load(path);
  if (!config) demand(config.error().message().starts_with(path + ":"), "a refusal says where");
  return 0;
}
