#include "sink/schema.h"

#include <charconv>
#include <chrono>

#include "sink/migrations.h"
#include "sink/pg_connection.h"

namespace iptrackd::sink {
namespace {

constexpr int oldest_server = 140'000;  // the first with CREATE FUNCTION ... BEGIN ATOMIC
constexpr std::string_view placeholder = "@schema@";
constexpr int first_with_roles = 6;
// Counting a partition of a large fleet's day takes minutes.
constexpr std::chrono::hours maintenance_timeout{1};

std::string replaced(std::string_view sql, std::string_view quoted) {
  std::string out;
  for (std::size_t at = 0; (at = sql.find(placeholder)) != std::string_view::npos;) {
    out.append(sql.substr(0, at)).append(quoted);
    sql.remove_prefix(at + placeholder.size());
  }
  return out.append(sql);
}

std::string prologue(std::string_view schema, std::string_view quoted) {
  return "SELECT pg_advisory_xact_lock(hashtextextended(" +
         sql_literal("iptrackd schema " + std::string{schema}) + ", 0));\n" +
         replaced(
             "CREATE SCHEMA IF NOT EXISTS @schema@;\n"
             "CREATE TABLE IF NOT EXISTS @schema@.schema_version (\n"
             "  version    integer PRIMARY KEY,\n"
             "  name       text NOT NULL,\n"
             "  applied_at timestamptz NOT NULL DEFAULT now(),\n"
             "  applied_by text NOT NULL DEFAULT session_user\n"
             ");\n",
             quoted);
}

std::string body(const Migration &migration, std::string_view quoted) {
  return replaced(migration.sql, quoted) +
         replaced("INSERT INTO @schema@.schema_version (version, name) VALUES (", quoted) +
         std::to_string(migration.version) + ", " + sql_literal(migration.name) + ");\n";
}

Result<std::int64_t> as_integer(const std::vector<PgConnection::Row> &rows) {
  std::int64_t value = 0;
  if (rows.size() != 1 || rows[0].size() != 1) return fail(Fault::environment, "the database gave no number");
  const std::string text = rows[0][0].value_or("0");
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Result<std::int64_t> integer(PgConnection &connection, const std::string &sql,
                             const std::vector<std::string> &parameters, const std::stop_token &stop) {
  auto rows = connection.query(sql, parameters, stop);
  if (!rows) return tl::unexpected{rows.error()};
  return as_integer(*rows);
}

// 0: no schema. The catalogue is asked first, because a missing table would fail a transaction.
Result<int> version_of(PgConnection &connection, std::string_view schema, const std::stop_token &stop) {
  auto exists =
      integer(connection,
              "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
              "c.relnamespace WHERE n.nspname = $1 AND c.relname = 'schema_version'",
              {std::string{schema}}, stop);
  if (!exists) return tl::unexpected{exists.error()};
  if (*exists == 0) return 0;
  auto quoted = quoted_schema(schema);
  if (!quoted) return tl::unexpected{quoted.error()};
  auto version = integer(connection, "SELECT max(version) FROM " + *quoted + ".schema_version", {}, stop);
  if (!version) return tl::unexpected{version.error()};
  return static_cast<int>(*version);
}

std::string newer_message(int version) {
  return "the database schema has version " + std::to_string(version) + ", newer than this program's " +
         std::to_string(latest_schema_version()) + "; upgrade iptrackd";
}

std::string older_message(int version) {
  const std::string fix = "; run `iptrackd schema apply`";
  if (version == 0) return "the database has no iptrackd schema" + fix;
  return "the database schema has version " + std::to_string(version) + ", this program needs " +
         std::to_string(latest_schema_version()) + fix;
}

// May a daemon of this program write to a schema of VERSION? A newer one says itself which it still takes.
Result<bool> takes_this_program(PgConnection &connection, std::string_view quoted, int version,
                                const std::stop_token &stop) {
  if (version <= latest_schema_version()) return version == latest_schema_version();
  const auto oldest = integer(connection, "SELECT " + std::string{quoted} + ".oldest_writer()", {}, stop);
  if (!oldest) return tl::unexpected{oldest.error()};
  return *oldest <= latest_schema_version();
}

Result<PgConnection> connect(const PostgresqlOptions &options, const std::stop_token &stop) {
  return PgConnection::connect(options.connection, {options.connect_timeout, options.statement_timeout},
                               stop);
}

// Runs the next migration, if there is one to run; returns the version before. The version is read under the
// lock.
Result<int> migrate_once(PgConnection &connection, std::string_view schema, std::string_view quoted,
                         int up_to, const std::stop_token &stop) {
  if (auto begun = connection.execute("BEGIN;" + prologue(schema, quoted), stop); !begun) {
    return tl::unexpected{begun.error()};
  }
  auto version = version_of(connection, schema, stop);
  if (!version) return version;
  if (*version >= up_to) {
    if (auto ended = connection.execute("COMMIT", stop); !ended) return tl::unexpected{ended.error()};
    return version;
  }
  const Migration &next = migrations()[static_cast<std::size_t>(*version)];
  if (auto done = connection.execute(body(next, quoted) + "COMMIT", stop); !done) {
    return tl::unexpected{done.error().in_context("migration " + std::string{next.name})};
  }
  return version;
}

// A new version may demand more privileges of its roles.
Result<void> renew_duties(PgConnection &connection, std::string_view quoted, const SchemaUpgrade &upgrade,
                          const std::stop_token &stop) {
  if (upgrade.from == upgrade.to || upgrade.to < first_with_roles) return {};
  return connection.execute("SELECT " + std::string{quoted} + ".renew_duties()", stop);
}

// A role that only adds rows cannot read the table itself.
std::string count_of_strays(std::string_view quoted, int version) {
  const std::string schema{quoted};
  if (version >= first_with_roles) return "SELECT " + schema + ".strays()";
  return "SELECT count(*) FROM (SELECT FROM " + schema + ".event_default LIMIT 10000) AS s";
}

void find_faults(SchemaState &state, bool takes_this_program) {
  if (state.server_version < oldest_server) {
    state.findings.push_back("the server has version " + std::to_string(state.server_version / 10'000) +
                             "; 14 or newer would be right");
  }
  if (state.version < latest_schema_version()) state.findings.push_back(older_message(state.version));
  if (state.version > latest_schema_version() && !takes_this_program) {
    state.findings.push_back(newer_message(state.version));
  }
  if (state.version > 0 && state.days_ahead < 2) {
    state.findings.emplace_back(
        "there is no partition for today and tomorrow; run `iptrackd schema maintain`");
  }
}

}  // namespace

int latest_schema_version() noexcept {
  return migrations().back().version;
}

Result<std::string> schema_script(std::string_view schema) {
  auto quoted = quoted_schema(schema);
  if (!quoted) return tl::unexpected{quoted.error()};
  std::string script;
  for (const Migration &migration : migrations()) {
    script += "BEGIN;\n" + prologue(schema, *quoted) + body(migration, *quoted) + "COMMIT;\n\n";
  }
  return script;
}

Result<SchemaUpgrade> apply_schema(const PostgresqlOptions &options, std::stop_token stop, int up_to) {
  auto quoted = quoted_schema(options.schema);
  if (!quoted) return tl::unexpected{quoted.error()};
  auto connection = connect(options, stop);
  if (!connection) return tl::unexpected{connection.error()};
  up_to = std::min(up_to, latest_schema_version());
  SchemaUpgrade upgrade;
  for (bool first = true;; first = false) {
    auto before = migrate_once(*connection, options.schema, *quoted, up_to, stop);
    if (!before) return tl::unexpected{before.error()};
    if (*before > latest_schema_version()) return fail(Fault::environment, newer_message(*before));
    if (first) upgrade.from = *before;
    upgrade.to = std::max(*before, upgrade.to);
    if (*before < up_to) continue;
    if (auto renewed = renew_duties(*connection, *quoted, upgrade, stop); !renewed) {
      return tl::unexpected{renewed.error()};
    }
    return upgrade;
  }
}

Result<SchemaState> check_schema(const PostgresqlOptions &options, std::stop_token stop) {
  auto quoted = quoted_schema(options.schema);
  if (!quoted) return tl::unexpected{quoted.error()};
  auto connection = connect(options, stop);
  if (!connection) return tl::unexpected{connection.error()};
  SchemaState state;
  state.server_version = connection->server_version();
  auto version = version_of(*connection, options.schema, stop);
  if (!version) return tl::unexpected{version.error()};
  state.version = *version;
  if (state.version > 0) {
    auto days =
        integer(*connection,
                "SELECT coalesce(min(d) FILTER (WHERE c.oid IS NULL), 31) FROM generate_series(0, 30) AS d "
                "LEFT JOIN (pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                "AND n.nspname = $1) ON c.relname = 'event_' || "
                "to_char((now() AT TIME ZONE 'UTC')::date + d, 'YYYYMMDD')",
                {options.schema}, stop);
    if (!days) return tl::unexpected{days.error()};
    state.days_ahead = static_cast<int>(*days);
    auto strays = integer(*connection, count_of_strays(*quoted, state.version), {}, stop);
    if (!strays) return tl::unexpected{strays.error()};
    state.strays = static_cast<std::uint64_t>(*strays);
  }
  const auto takes = takes_this_program(*connection, *quoted, state.version, stop);
  if (!takes) return tl::unexpected{takes.error()};
  find_faults(state, *takes);
  return state;
}

Result<Maintenance> maintain_schema(const PostgresqlOptions &options, std::stop_token stop) {
  auto quoted = quoted_schema(options.schema);
  if (!quoted) return tl::unexpected{quoted.error()};
  auto connection =
      PgConnection::connect(options.connection, {options.connect_timeout, maintenance_timeout}, stop);
  if (!connection) return tl::unexpected{connection.error()};
  if (auto fits = require_schema(*connection, options.schema, stop); !fits)
    return tl::unexpected{fits.error()};
  auto created = integer(*connection, "SELECT " + *quoted + ".ensure_partitions()", {}, stop);
  if (!created) return tl::unexpected{created.error()};
  auto adopted = integer(*connection, "SELECT " + *quoted + ".adopt_strays()", {}, stop);
  if (!adopted) return tl::unexpected{adopted.error()};
  auto expired = expire_events(*connection, *quoted, stop);
  if (!expired) return tl::unexpected{expired.error()};
  return Maintenance{static_cast<int>(*created), static_cast<int>(*adopted), *std::move(expired)};
}

Result<void> require_schema(PgConnection &connection, std::string_view schema, std::stop_token stop) {
  auto version = version_of(connection, schema, stop);
  if (!version) return tl::unexpected{version.error()};
  if (*version < latest_schema_version()) return fail(Fault::environment, older_message(*version));
  const auto quoted = quoted_schema(schema);
  if (!quoted) return tl::unexpected{quoted.error()};
  const auto takes = takes_this_program(connection, *quoted, *version, stop);
  if (!takes) return tl::unexpected{takes.error()};
  if (!*takes) return fail(Fault::environment, newer_message(*version));
  return {};
}

}  // namespace iptrackd::sink
