// One record of the callback (iptrackd/pam_record.h) becomes one Event. Pure: bytes and the reader's own
// clocks in, Event out.
#ifndef IPTRACKD_PAM_PARSER_H
#define IPTRACKD_PAM_PARSER_H

#include <array>
#include <cstdint>

#include "core/event.h"
#include "pam/record_stream.h"

namespace iptrackd::pam {

// When and in which boot a record is being read.
struct Moment {
  std::uint64_t boot_ns = 0;  // CLOCK_BOOTTIME
  std::int64_t unix_us = 0;   // CLOCK_REALTIME, microseconds since 1970
  std::array<std::uint8_t, 16> boot_id{};
};

// Fills EVENT (which must be empty) from a record that inspect_frame() calls whole. False: the record
// contradicts itself, or is of a version or kind that is not known; EVENT then holds anything.
//
// pid and tid are the callback's, ppid is the sshd that ran it. An open or closed session has result 0; of an
// `auth` the callback cannot know the outcome, so it has none. remote is the client, local the server. Times
// lie in this boot and not in the future: a record of another boot gets boot_ns NOW, keeps its own unix_us,
// and is marked `preexisting`, because its pids are of that boot.
[[nodiscard]] bool parse_record(Bytes record, const Moment &now, Event &event);

// Fills EVENT (which must be empty) from EXEC, the callback's own exec with its environment: the row that its
// record would have become, marked `rebuilt`. False: the environment is not that of a PAM call.
[[nodiscard]] bool rebuild_record(const Event &exec, Event &event);

}  // namespace iptrackd::pam

#endif
