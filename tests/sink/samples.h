// Events for the tests of the sink.
#ifndef IPTRACKD_TESTS_SINK_SAMPLES_H
#define IPTRACKD_TESTS_SINK_SAMPLES_H

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch.h"
#include "core/result.h"
#include "core/sample_event.h"
#include "sink/sink.h"
#include "sink/writer.h"

namespace iptrackd::test {

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

// Writes batches of up to ROWS, and waits LINGER at most for one to fill.
[[nodiscard]] sink::Writer::Options small_batches(std::size_t rows, std::chrono::milliseconds linger);

}  // namespace iptrackd::test

#endif
