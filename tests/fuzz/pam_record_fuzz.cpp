// What comes through the FIFO, and the environment of a callback as the kernel saw it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "fuzz/demand.h"
#include "pam/parser.h"
#include "pam/record_stream.h"

namespace {

using namespace iptrackd;

// The sizes of the records in BYTES, found by looking at every byte; 0 for each byte between them.
std::vector<std::size_t> frames_of(pam::Bytes bytes) {
  std::vector<std::size_t> sizes;
  while (!bytes.empty()) {
    const auto frame = pam::inspect_frame(bytes);
    const bool whole = frame.state == pam::Frame::State::whole;
    sizes.push_back(whole ? frame.size : 0);
    bytes = bytes.subspan(whole ? frame.size : 1);
  }
  return sizes;
}

// The first byte chooses in what pieces the rest arrives.
void read_stream(pam::Bytes bytes) {
  if (bytes.empty()) return;
  const std::size_t piece = bytes[0] == 0 ? pam::RecordStream::capacity : bytes[0];
  bytes = bytes.subspan(1);
  auto expected = frames_of(bytes);
  const auto garbage = static_cast<std::uint64_t>(std::erase(expected, 0));
  pam::RecordStream stream;
  static Event event;
  std::vector<std::size_t> found;
  while (!bytes.empty()) {
    const auto space = stream.space();
    const auto count = std::min({space.size(), bytes.size(), piece});
    std::copy_n(bytes.begin(), count, space.begin());
    stream.filled(count);
    bytes = bytes.subspan(count);
    const auto tail = bytes.empty() ? pam::RecordStream::Tail::closed : pam::RecordStream::Tail::open;
    while (const auto record = stream.next(tail)) {
      found.push_back(record->size());
      event.reset();
      (void)pam::parse_record(*record, {1, 1, {}}, event);
    }
  }
  fuzz::demand(found == expected, "every whole record is found, in whatever pieces it comes");
  fuzz::demand(stream.garbage_bytes() == garbage, "every other byte is counted as garbage");
}

// A whole record whose checksum is right reaches the parser only so: the stream would refuse most inputs.
void read_record(pam::Bytes bytes) {
  static Event event;
  event.reset();
  (void)pam::parse_record(bytes, {1, 1, {}}, event);
}

void read_environment(pam::Bytes bytes) {
  Event exec;
  Event event;
  exec.environment.assign({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
  (void)pam::rebuild_record(exec, event);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size == 0) return 0;
  const iptrackd::pam::Bytes rest{data + 1, size - 1};
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
