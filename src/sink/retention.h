// Retention: what the tables retention and legal_hold of the schema say is carried out, and booked in
// retention_log. For the owner of the schema; private to this room.
#ifndef IPTRACKD_SINK_RETENTION_H
#define IPTRACKD_SINK_RETENTION_H

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace iptrackd::sink {

class PgConnection;

struct Expiry {
  int partitions = 0;                // dropped as a whole
  std::uint64_t rows = 0;            // that are gone, those of the partitions too
  std::uint64_t held = 0;            // that would have gone, but for a hold
  std::vector<std::string> put_off;  // partitions that were in use, left to the next run
};

// Each partition in a transaction of its own, and single rows in many, so that an interruption leaves nothing
// that is not booked. Faults: environment (no privilege), connection, cancelled.
[[nodiscard]] Result<Expiry> expire_events(PgConnection &connection, std::string_view schema,
                                           const std::stop_token &stop);

}  // namespace iptrackd::sink

#endif
