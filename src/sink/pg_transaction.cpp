#include "sink/pg_transaction.h"

#include <nlohmann/json.hpp>

#include "sink/escape.h"
#include "sink/postgresql.h"

namespace iptrackd::sink {
namespace {

// 1970 to 9999: a clock beyond must not fail the transaction.
constexpr std::int64_t latest_time = 253'402'300'800'000'000;

std::string microseconds(std::int64_t count) {
  return std::to_string(count) + "*interval '1us'";
}

// An index or a token as the bits of a bigint. Without quotes the smallest one would be no bigint.
std::string signed_text(std::uint64_t number) {
  return "'" + std::to_string(static_cast<std::int64_t>(number)) + "'";
}

std::string uuid_literal(const std::string &id) {
  return sql_literal(escaped(id)) + "::uuid";
}

std::string hooks_value(const std::string &hooks) {
  // What jsonb would refuse, a NUL for one, is left out: it would fail the batch.
  const bool good = nlohmann::json::accept(hooks) && hooks.find("\\u") == std::string::npos;
  return good ? sql_literal(hooks) + "::jsonb" : "NULL";
}

}  // namespace

std::string begin_statement(std::chrono::milliseconds timeout) {
  const std::string limit = std::to_string(timeout.count());
  return "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;SET LOCAL statement_timeout=" + limit +
         ";SET LOCAL lock_timeout=" + std::to_string(timeout.count() / 2) +
         ";SET LOCAL idle_in_transaction_session_timeout=" + limit +
         ";SELECT pg_catalog.set_config('synchronous_commit','on',true) WHERE "
         "pg_catalog.current_setting('synchronous_commit') IN ('off','local','remote_write');";
}

std::string advance_statement(std::string_view schema, const std::string &spool_id, Position from,
                              Position to, const std::optional<std::int64_t> &delivered) {
  const bool known = delivered && *delivered >= 0 && *delivered < latest_time;
  return "SELECT " + std::string{schema} + ".advance_spool(" + uuid_literal(spool_id) + "," +
         signed_text(from.index) + "," + signed_text(from.token) + "," + signed_text(to.index) + "," +
         signed_text(to.token) + "," + (known ? "timestamptz 'epoch'+" + microseconds(*delivered) : "NULL") +
         ")";
}

std::string sign_statement(std::string_view schema, const std::string &spool_id, const Vitals &vitals) {
  return "SELECT " + std::string{schema} + ".sign_of_life(" + uuid_literal(spool_id) + "," +
         hooks_value(vitals.hooks) + "," +
         (vitals.lag ? microseconds(vitals.lag->count()) : std::string{"NULL"}) + "," +
         (vitals.lost ? signed_text(*vitals.lost) : std::string{"NULL"}) + "," +
         (vitals.clock.empty() ? "NULL" : sql_literal(escaped(vitals.clock))) + ");";
}

}  // namespace iptrackd::sink
