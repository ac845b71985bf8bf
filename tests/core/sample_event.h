// An event for the tests of every room that passes events on.
#ifndef IPTRACKD_TESTS_CORE_SAMPLE_EVENT_H
#define IPTRACKD_TESTS_CORE_SAMPLE_EVENT_H

#include <cstdint>

#include "core/event.h"

namespace iptrackd::test {

inline constexpr std::int64_t sample_unix_us = 1'732'233'600'123'456;  // 2024-11-22 00:00:00.123456 UTC

// Every member known, each with a value that no other has.
[[nodiscard]] Event full_event();

}  // namespace iptrackd::test

#endif
