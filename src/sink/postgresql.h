// What every part of the sink that speaks with PostgreSQL is told, and how it names things there.
#ifndef IPTRACKD_SINK_POSTGRESQL_H
#define IPTRACKD_SINK_POSTGRESQL_H

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "core/result.h"

namespace iptrackd::sink {

struct PostgresqlOptions {
  std::map<std::string, std::string> connection;  // libpq's keywords: host, port, dbname, user, passfile, ...
  std::string schema = "iptrackd";
  std::chrono::milliseconds connect_timeout{10'000};    // for each host, unless `connection` has one
  std::chrono::milliseconds statement_timeout{60'000};  // for a batch's COPY, and for its COMMIT
};

// NAME as SQL wants it, in double quotes. Fault usage: empty, longer than 63 bytes, not valid UTF-8, holds
// NUL, or begins with "pg_", which PostgreSQL keeps for itself.
[[nodiscard]] Result<std::string> quoted_schema(std::string_view name);

// TEXT as an SQL string, quotes included.
[[nodiscard]] std::string sql_literal(std::string_view text);

}  // namespace iptrackd::sink

#endif
