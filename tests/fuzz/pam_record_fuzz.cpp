// What comes through the FIFO, and the environment of a callback as the kernel saw it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/event.h"
#include "fuzz/demand.h"
#include "pam/parser.h"
#include "pam/record_stream.h"

namespace {

using namespace iptrackd;

void read_stream(std::span<const std::uint8_t> bytes) {
  pam::RecordStream stream;
  static Event event;
  const std::size_t all = bytes.size();
  std::size_t taken = 0;
  while (!bytes.empty()) {
    const auto space = stream.space();
    const auto count = std::min(space.size(), bytes.size());
    std::copy_n(bytes.begin(), count, space.begin());
    stream.filled(count);
    bytes = bytes.subspan(count);
    const auto tail = bytes.empty() ? pam::RecordStream::Tail::closed : pam::RecordStream::Tail::open;
    while (const auto record = stream.next(tail)) {
      taken += record->size();
      event.reset();
      (void)pam::parse_record(*record, {1, 1, {}}, event);
    }
  }
  fuzz::demand(taken + stream.garbage_bytes() == all, "every byte is of a record, or counted as garbage");
}

// A whole record whose checksum is right reaches the parser only so: the stream would refuse most inputs.
void read_record(std::span<const std::uint8_t> bytes) {
  static Event event;
  event.reset();
  (void)pam::parse_record(bytes, {1, 1, {}}, event);
}

void read_environment(std::span<const std::uint8_t> bytes) {
  Event exec;
  Event event;
  exec.environment.assign({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
  (void)pam::rebuild_record(exec, event);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::uint8_t> rest{data + 1, size - 1};
  switch (data[0] % 3) {
    case 0:
      read_stream(rest);
      break;
    case 1:
      read_record(rest);
      break;
    default:
      read_environment(rest);
  }
  return 0;
}
