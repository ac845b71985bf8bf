#include "sink/roles.h"

#include "sink/pg_connection.h"

namespace iptrackd::sink {
namespace {

// NAMES as the text form of an array.
std::string array_text(const std::vector<std::string> &names) {
  std::string out{"{"};
  for (const std::string &name : names) {
    if (out.size() > 1) out += ',';
    out += '"';
    for (const char c : name) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + '}';
}

using Calls = std::vector<std::pair<std::string, std::vector<std::string>>>;

Calls calls_of(const Grants &grants, const std::string &schema) {
  Calls calls;
  for (const auto &role : grants.writers) {
    if (grants.hosts.empty()) {
      calls.emplace_back("SELECT " + schema + ".grant_writer($1, NULL)", std::vector{role});
    } else {
      calls.emplace_back("SELECT " + schema + ".grant_writer($1, $2)",
                         std::vector{role, array_text(grants.hosts)});
    }
  }
  for (const auto &role : grants.readers) {
    calls.emplace_back("SELECT " + schema + ".grant_reader($1)", std::vector{role});
  }
  for (const auto &role : grants.investigators) {
    calls.emplace_back("SELECT " + schema + ".grant_investigator($1)", std::vector{role});
  }
  return calls;
}

}  // namespace

Result<void> grant_roles(const PostgresqlOptions &options, const Grants &grants, std::stop_token stop) {
  const auto schema = quoted_schema(options.schema);
  if (!schema) return tl::unexpected{schema.error()};
  auto connection =
      PgConnection::connect(options.connection, {options.connect_timeout, options.statement_timeout}, stop);
  if (!connection) return tl::unexpected{connection.error()};
  if (auto begun = connection->execute("BEGIN", stop); !begun) return begun;
  for (const auto &[sql, parameters] : calls_of(grants, *schema)) {
    if (auto done = connection->query(sql, parameters, stop); !done) return tl::unexpected{done.error()};
  }
  return connection->execute("COMMIT", stop);
}

}  // namespace iptrackd::sink
