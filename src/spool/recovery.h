// Recovery: reads every segment, checks every record, and tells what a daemon that starts wants to know.
//
// Damage is known by the indexes that are missing: within a segment, up to the next one's first index, and at
// the end of the newest, where damaged records that are whole can be counted and what is not whole cannot.
#ifndef IPTRACKD_SPOOL_RECOVERY_H
#define IPTRACKD_SPOOL_RECOVERY_H

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/batch.h"
#include "core/event.h"
#include "core/loss.h"
#include "core/result.h"
#include "spool/catalog.h"
#include "spool/damage.h"
#include "spool/directory.h"
#include "spool/io.h"
#include "spool/options.h"

namespace iptrackd::spool {

// What a daemon that starts finds.
struct Recovery {
  bool created = false;    // there was no spool
  bool clean_end = false;  // the last daemon closed it
  std::optional<Origin> last_origin;
  std::int64_t last_unix_us = 0;  // of the newest record; 0: there is none
  std::uint64_t last_seq = 0;     // the highest of this boot; 0: there is none
  // Records of Options::rings behind where these will be read from: they are here already. Not rising.
  std::vector<RingMark> ring_marks;
  // Of this boot and its last hour: PAM records, and execs of the callback with its environment.
  std::deque<Event> logins;
  // Of this boot and ring generation: the last Loss that has a counter, by stage, cause, kind and uid.
  std::vector<Loss> counters;
  // That nobody counted before; booked as losses of stage "spool", cause "damaged". Records that were
  // acknowledged are stored elsewhere and not among them.
  std::vector<Damage> damages;
};

// What is on the disk.
struct Found {
  Recovery recovery;  // but for `created` and `damages`
  std::deque<Segment> segments;
  std::uint64_t next_index = 0;       // that no record had
  Position last;                      // behind the last intact record
  std::optional<std::uint64_t> salt;  // as the headers have it
  std::vector<Damage> damages;        // all that there are
  std::vector<Range> booked;          // and those among them that have been counted
};

// FILES are the first indexes, rising. SALT is for segments whose header is damaged. Fault environment: a
// file cannot be opened.
[[nodiscard]] Result<Found> recover(Io &io, const Directory &directory, const Options &options,
                                    const std::vector<std::uint64_t> &files,
                                    std::optional<std::uint64_t> salt);

// Reads SIZE bytes from the beginning of FD; pages that the disk does not give up are zero, and the text is
// shorter where the file is.
void read_segment(Io &io, int fd, std::uint64_t size, std::string &to);

}  // namespace iptrackd::spool

#endif
