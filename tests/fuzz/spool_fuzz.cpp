// What a spool's file holds: the first byte of the input chooses what the rest of it is.
//
// A fuzzer does not guess checksums: where one guards the way in, the input is sealed first. What only
// somebody who knows the salt could write is thereby tried too.
#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/event.h"
#include "core/host_event.h"
#include "core/loss.h"
#include "fuzz/demand.h"
#include "fuzz/made_segment.h"
#include "fuzz/round_trip.h"
#include "spool/codec.h"
#include "spool/fields.h"
#include "spool/segment.h"

namespace {

using namespace iptrackd;
using namespace iptrackd::spool;
using fuzz::decode_and_back;
using fuzz::demand;
using fuzz::encoded;

constexpr std::size_t checksum_size = 8;

void read_event(std::string_view payload) {
  static Event event;
  const Peek found = peek(payload);
  if (!decode_and_back(payload, event)) return;
  demand(found.unix_us == event.unix_us && found.seq == event.seq && found.ring == event.ring &&
             found.ring_position == event.ring_position &&
             found.kind == static_cast<std::uint8_t>(event.kind) &&
             found.has_environment == event.environment.known(),
         "peek and decode see the same");
}

void read_loss(std::string_view payload) {
  static Loss loss;
  static_cast<void>(decode_and_back(payload, loss));
  const auto range = decode_range(payload);
  if (!range) return;
  const auto again = decode_range(encoded(Damage{range->first, range->count, 0, 0, "", ""}));
  demand(again && again->first == range->first && again->count == range->count,
         "a booking names the records that it named");
}

void read_host_event(std::string_view payload) {
  static HostEvent event;
  static_cast<void>(decode_and_back(payload, event));
}

void read_header(std::string bytes) {
  static_cast<void>(parse_header(bytes));
  const std::size_t size = std::min(bytes.size() / 8 * 8, max_header);
  if (size < 2 * checksum_size) return;
  store_number(bytes.data() + 12, static_cast<std::uint32_t>(size));
  store_number(bytes.data() + size - checksum_size,
               std::uint64_t{XXH3_64bits(bytes.data(), size - checksum_size)});
  const auto parsed = parse_header(bytes);
  if (!parsed) return;
  demand(parsed->size == size, "a header is as long as it says");
  const std::string once = encode_header(parsed->header);
  if (once.size() > max_header) return;  // a field that was missing has its two bytes now
  const auto again = parse_header(once);
  demand(again && encode_header(again->header) == once, "a header that was read can be written and read");
}

// Gives each record that stands one behind the other the checksum that it would have.
void seal(std::string &bytes, std::uint64_t salt) {
  std::size_t at = 0;
  while (const auto size = record_size(std::string_view{bytes}.substr(at))) {
    if (*size > bytes.size() - at) return;
    const std::uint64_t hash = XXH3_64bits_withSeed(bytes.data() + at, *size - checksum_size, salt);
    store_number(bytes.data() + at + *size - checksum_size, hash == 0 ? std::uint64_t{1} : hash);
    at += *size;
  }
}

void scan_hostile(std::string_view input, bool sealed) {
  constexpr std::size_t bounds = 2 * sizeof(std::uint64_t);
  if (input.size() < bounds) return;
  const auto first = load_number<std::uint64_t>(input.data());
  const auto limit = load_number<std::uint64_t>(input.data() + sizeof(std::uint64_t));
  constexpr std::uint64_t salt = 7;
  std::string bytes{input.substr(bounds)};
  if (sealed) seal(bytes, salt);
  Scanner scanner{bytes, 0, first, limit, salt};
  std::uint64_t expected = first;
  std::size_t end = 0;
  for (Record record; scanner.next(record); expected = scanner.expected(), end = scanner.end()) {
    const bool is_end = record.type == RecordType::end;
    demand(scanner.begin() >= end && scanner.end() == scanner.begin() + record.size &&
               scanner.end() <= bytes.size() && record.payload.size() + record_overhead <= record.size,
           "a record stands behind the one before, and within the file");
    demand(record.index >= expected && (record.index < limit || (is_end && record.index == limit)),
           "indexes rise up to the limit");
    demand(scanner.expected() == record.index + (is_end ? 0 : 1), "the next index follows");
  }
  std::size_t rest = 0;
  const std::uint64_t damaged = scanner.count_damaged_tail(rest);
  demand(damaged * record_overhead + rest <= bytes.size() - scanner.end(), "the tail is as long as it is");
}

void scan_made(std::string_view input) {
  const fuzz::MadeSegment made{input};
  Scanner scanner{made.bytes(), 0, made.first_index, made.next_index(), made.salt()};
  Record record;
  for (const auto &written : made.records()) {
    if (!made.is_intact(written)) continue;
    demand(scanner.next(record), "every intact record is found");
    demand(record.index == written.index && scanner.begin() == written.begin && record.token == written.token,
           "it is the one that was written");
  }
  demand(!scanner.next(record), "no damaged record is accepted");
  std::size_t rest = 0;
  const std::uint64_t damaged = scanner.count_damaged_tail(rest);
  // Where a head is spoilt as well, what stands in payloads may look like heads: nobody can know the number
  // then.
  if (made.heads_intact())
    demand(damaged == made.next_index() - scanner.expected() && rest == 0, "damaged records are counted");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest{reinterpret_cast<const char *>(data) + 1, size - 1};
  switch (data[0] % 7) {
    case 0:
      read_event(rest);
      break;
    case 1:
      read_loss(rest);
      break;
    case 2:
      read_host_event(rest);
      break;
    case 3:
      read_header(std::string{rest});
      break;
    case 4:
      scan_made(rest);
      break;
    default:
      scan_hostile(rest, data[0] % 7 == 5);
  }
  return 0;
}
