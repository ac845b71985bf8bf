// Roles of the database: who may add rows, and who may read what; for `iptrackd schema apply --grant-...`.
// What each may do stands in the schema (0004-roles.sql, 0006-readers.sql).
#ifndef IPTRACKD_SINK_ROLES_H
#define IPTRACKD_SINK_ROLES_H

#include <stop_token>
#include <string>
#include <vector>

#include "core/result.h"
#include "sink/postgresql.h"

namespace iptrackd::sink {

struct Grants {
  std::vector<std::string> writers;
  // As which hosts the writers may write. None: as any that is nobody else's; "*": as any.
  std::vector<std::string> hosts;
  std::vector<std::string> readers;
  std::vector<std::string> investigators;

  [[nodiscard]] bool empty() const { return writers.empty() && readers.empty() && investigators.empty(); }
};

// Gives each role its duty and nothing else, all or none. For the owner of the schema. Faults: environment
// (there is no such role, it cannot be limited, no privilege), connection, cancelled.
[[nodiscard]] Result<void> grant_roles(const PostgresqlOptions &options, const Grants &grants,
                                       std::stop_token stop);

}  // namespace iptrackd::sink

#endif
