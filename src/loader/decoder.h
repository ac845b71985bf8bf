// Decoder: one record of a ring buffer becomes one Event. Pure: bytes in, Event out; no system calls.
#ifndef IPTRACKD_LOADER_DECODER_H
#define IPTRACKD_LOADER_DECODER_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/event.h"

namespace iptrackd::loader {

enum class DecodeError : std::uint8_t {
  none,
  too_short,      // less than the fixed part
  wrong_version,  // made by programs of another version
  wrong_size,     // the sizes of the parts do not add up to the record's
  unknown_kind,
};

// Fills EVENT, which must be reset, from RECORD (include/iptrackd/wire.h); unix_us and seq stay for others.
// After an error EVENT's content is unspecified.
[[nodiscard]] DecodeError decode(std::span<const std::byte> record, Event &event);

}  // namespace iptrackd::loader

#endif
