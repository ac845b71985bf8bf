#include "spool/acknowledged.h"

#include <fcntl.h>
#include <xxhash.h>

#include <algorithm>
#include <string>

#include "spool/fields.h"

namespace iptrackd::spool {
namespace {

constexpr std::size_t slot_size = 32;
constexpr std::size_t summed = 24;
constexpr const char *file_name = "acknowledged";

}  // namespace

Result<AcknowledgedFile> AcknowledgedFile::open(Io &io, const Directory &directory) {
  const std::string path = directory.path_of(file_name);
  AcknowledgedFile file{io};
  file.fd_ = Fd{io.open(directory.fd(), file_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file.fd_) return fail_errno("cannot open " + path);
  std::string slots(2 * slot_size, '\0');
  const auto got = read_all(io, file.fd_.get(), slots.data(), slots.size(), 0);
  if (got.code != 0) return fail_errno("cannot read " + path, got.code);
  for (const char *slot : {slots.data(), slots.data() + slot_size}) {
    const auto number = load_number<std::uint64_t>(slot);
    if (number <= file.number_ || load_number<std::uint64_t>(slot + summed) != XXH3_64bits(slot, summed))
      continue;
    file.number_ = number;
    file.position_ = Position{load_number<std::uint64_t>(slot + 8), load_number<std::uint64_t>(slot + 16)};
  }
  struct stat status {};
  if (io.fstat(file.fd_.get(), status) != 0) return fail_errno("cannot examine " + path);
  using namespace std::chrono;
  const auto written = system_clock::time_point{seconds{status.st_mtim.tv_sec}};
  file.age_ = std::max(milliseconds{0}, duration_cast<milliseconds>(system_clock::now() - written));
  return file;
}

int AcknowledgedFile::write(Position position) {
  std::string slot;
  append_number(slot, ++number_);
  append_number(slot, position.index);
  append_number(slot, position.token);
  append_number(slot, std::uint64_t{XXH3_64bits(slot.data(), slot.size())});
  return write_all(*io_, fd_.get(), slot, number_ % 2 * slot_size).code;
}

}  // namespace iptrackd::spool
