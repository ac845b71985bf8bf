// Events for the tests of the sink.
#ifndef IPTRACKD_TESTS_SINK_SAMPLES_H
#define IPTRACKD_TESTS_SINK_SAMPLES_H

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch.h"
#include "core/result.h"
#include "sink/sink.h"

namespace iptrackd::test {

inline constexpr std::int64_t sample_unix_us = 1'732'233'600'123'456;  // 2024-11-22 00:00:00.123456 UTC

// Every field known, each with a value that no other field has.
[[nodiscard]] Event full_event();
// Nothing known but kind, time and seq.
[[nodiscard]] Event bare_event(std::uint64_t seq, std::int64_t unix_us = sample_unix_us);
// As a real exec has it: about twenty fields.
[[nodiscard]] Event exec_event(std::uint64_t seq, std::int64_t unix_us, std::string_view comm = "ls");
[[nodiscard]] std::int64_t now_unix_us();

inline const Origin sample_origin{"node-1", "0a1b2c3d-0000-4000-8000-00000000000f"};
inline const std::string sample_spool = "5b001000-0000-4000-8000-000000000001";

[[nodiscard]] Result<void> open(sink::Sink &sink, std::stop_token stop = {});
// Writes behind what SINK has; as many steps as there are entries.
[[nodiscard]] Result<void> store(sink::Sink &sink, const std::vector<Event> &events,
                                 const std::vector<Loss> &losses = {},
                                 const std::vector<HostEvent> &host_events = {}, std::stop_token stop = {});

}  // namespace iptrackd::test

#endif
