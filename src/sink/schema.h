// The database schema: printed, applied, checked and maintained. For the verb `schema`; the sink itself asks
// only whether the version fits.
//
// Each version is one migration, run in a transaction of its own under an advisory lock, so that two runs at
// once do every migration once. A database that is newer than the program is left alone.
//
// Faults: usage (schema name, connection keyword), connection, environment (no privilege, newer schema),
// cancelled.
#ifndef IPTRACKD_SINK_SCHEMA_H
#define IPTRACKD_SINK_SCHEMA_H

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sink/postgresql.h"
#include "sink/retention.h"

namespace iptrackd::sink {

class PgConnection;

// The newest version that this program knows.
[[nodiscard]] int latest_schema_version() noexcept;

// The whole schema as SQL for an empty place, as apply_schema() would run it; psql can run it too.
[[nodiscard]] Result<std::string> schema_script(std::string_view schema);

struct SchemaUpgrade {
  int from = 0;  // 0: there was none
  int to = 0;
};
// Brings the schema to version UP_TO, or leaves it where it is when it is there or beyond.
[[nodiscard]] Result<SchemaUpgrade> apply_schema(const PostgresqlOptions &options, std::stop_token stop,
                                                 int up_to = latest_schema_version());

struct SchemaState {
  int version = 0;                    // 0: there is no schema
  int server_version = 0;             // 150004 is 15.4
  int days_ahead = 0;                 // whole days from today on, today included, that have a partition
  std::uint64_t strays = 0;           // rows in the partition for what has no other, at most 10,000 counted
  std::vector<std::string> findings;  // one sentence each; empty: `run` would work
};
[[nodiscard]] Result<SchemaState> check_schema(const PostgresqlOptions &options, std::stop_token stop);

struct Maintenance {
  int created = 0;  // partitions made ahead
  int adopted = 0;  // partitions made for rows that had none
  Expiry expired;
};
// Makes partitions, and carries out what the table retention says.
[[nodiscard]] Result<Maintenance> maintain_schema(const PostgresqlOptions &options, std::stop_token stop);

// Fails with Fault::environment unless the schema has the version that this program writes, or a newer one
// that still takes its daemons (the function oldest_writer() of the schema).
[[nodiscard]] Result<void> require_schema(PgConnection &connection, std::string_view schema,
                                          std::stop_token stop);

}  // namespace iptrackd::sink

#endif
