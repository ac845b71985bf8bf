// Events for the tests of the sink.
#ifndef IPTRACKD_TESTS_SINK_SAMPLES_H
#define IPTRACKD_TESTS_SINK_SAMPLES_H

#include <cstdint>
#include <string_view>

#include "core/event.h"

namespace iptrackd::test {

inline constexpr std::int64_t sample_unix_us = 1'732'233'600'123'456;  // 2024-11-22 00:00:00.123456 UTC

// Every field known, each with a value that no other field has.
[[nodiscard]] Event full_event();
// Nothing known but kind, time and seq.
[[nodiscard]] Event bare_event(std::uint64_t seq, std::int64_t unix_us = sample_unix_us);
// As a real exec has it: about twenty fields.
[[nodiscard]] Event exec_event(std::uint64_t seq, std::int64_t unix_us, std::string_view comm = "ls");
[[nodiscard]] std::int64_t now_unix_us();

}  // namespace iptrackd::test

#endif
