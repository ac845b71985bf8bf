// What a failure of PostgreSQL means for the caller.
#ifndef IPTRACKD_SINK_PG_ERROR_H
#define IPTRACKD_SINK_PG_ERROR_H

#include <string>
#include <string_view>

#include "core/result.h"

namespace iptrackd::sink {

// SQLSTATE is five characters, or empty where the server did not say. Which class means what:
//
//   connection   08 connection, 57 operator intervention (shutdown, crash, starting up, cancelled), 53 out of
//                resources (too many connections, disk full), 58 system error, 40 rollback (deadlock), 25
//                (25006: a standby), 28 authentication, 3D000 no such database, 55 not in the right state;
//                empty
//   moved        IT001, which advance_spool() raises
//   rejected     22 data, 23 constraint, 54 limit exceeded, 44 check option, P0 raised by a trigger
//   environment  all else, such as 42 (no privilege, no such table), 0A, XX
//
// Authentication and a missing database pass: passwords are changed and databases restored while daemons run.
[[nodiscard]] Fault fault_of_sqlstate(std::string_view sqlstate) noexcept;

// libpq's and the server's messages in one line without control characters: they may quote bytes of a row.
[[nodiscard]] std::string one_line(std::string_view message);

}  // namespace iptrackd::sink

#endif
