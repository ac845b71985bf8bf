#include <array>
#include <sstream>
#include <stdexcept>

#include "database.h"
#include "rows.h"

namespace iptrackd::scenario {

ConnectionPtr open_database(const Connection &connection) {
  std::vector<const char *> keywords, values;
  for (const auto &[keyword, value] : connection) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  ConnectionPtr result{PQconnectdbParams(keywords.data(), values.data(), 0)};
  if (PQstatus(result.get()) != CONNECTION_OK) throw std::runtime_error{PQerrorMessage(result.get())};
  return result;
}

namespace {

std::vector<std::string> first_column(PGconn *connection, const std::string &statement,
                                      const std::vector<std::string> &parameters = {}) {
  std::vector<const char *> values;
  values.reserve(parameters.size());
  for (const std::string &parameter : parameters) values.push_back(parameter.c_str());
  const ResultPtr result{PQexecParams(connection, statement.c_str(), static_cast<int>(values.size()), nullptr,
                                      values.data(), nullptr, nullptr, 0)};
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
    throw std::runtime_error{PQerrorMessage(connection)};
  std::vector<std::string> column;
  column.reserve(static_cast<std::size_t>(PQntuples(result.get())));
  for (int row = 0; row < PQntuples(result.get()); ++row)
    column.emplace_back(PQgetvalue(result.get(), row, 0));
  return column;
}

// to_jsonb takes whatever columns the view has, so that one too many is noticed.
constexpr const char *processes_statement = R"(
  SELECT to_jsonb(a) || jsonb_build_object(
    'ts', (extract(epoch FROM ts) * 1000000)::bigint, 'duration', (extract(epoch FROM duration) * 1000000)::bigint,
    'local_addr', host(local_addr), 'remote_addr', host(remote_addr), 'login_addr', host(login_addr))
  FROM iptrackd.activity a
  WHERE ts >= 'epoch'::timestamptz + $1::bigint * interval '1 microsecond' AND pid = ANY ($2::int[])
  ORDER BY seq)";

constexpr const char *session_statement = R"(
  SELECT coalesce(jsonb_object_agg(kind, number), '{}') FROM (
    SELECT kind, count(*) AS number FROM iptrackd.activity
    WHERE ts >= 'epoch'::timestamptz + $1::bigint * interval '1 microsecond'
      AND ts <= 'epoch'::timestamptz + $2::bigint * interval '1 microsecond'
      AND (sid IS NOT DISTINCT FROM $3::int) = $4::bool
      AND (kind <> 'close' OR ts - duration >= 'epoch'::timestamptz + $1::bigint * interval '1 microsecond')
    GROUP BY kind) AS counts)";

constexpr const char *disorder_statement = R"(
  SELECT count(*) FROM (
    SELECT ts, lag(ts) OVER (PARTITION BY host, boot_id ORDER BY seq) AS before FROM iptrackd.activity
    WHERE ts >= 'epoch'::timestamptz + $1::bigint * interval '1 microsecond') AS neighbours
  WHERE ts < before)";

constexpr const char *losses_statement = R"(
  SELECT to_jsonb(l) FROM iptrackd.loss l
  WHERE to_ts >= 'epoch'::timestamptz + $1::bigint * interval '1 microsecond')";

class PostgresqlRows final : public Rows {
 public:
  explicit PostgresqlRows(const Connection &connection) : parameters_{connection} {}

  std::vector<Json> of_processes(const std::set<int> &pids, std::int64_t since) override {
    std::ostringstream list;
    for (const int pid : pids) list << (list.tellp() == 0 ? "{" : ",") << pid;
    return parse(ask(processes_statement, {std::to_string(since), list.str() + "}"}));
  }
  Counts of_session(int sid, std::int64_t since, std::int64_t until) override {
    return count(sid, since, until, true);
  }
  Counts of_others(int sid, std::int64_t since, std::int64_t until) override {
    return count(sid, since, until, false);
  }
  std::int64_t disorder(std::int64_t since) override {
    return std::stoll(ask(disorder_statement, {std::to_string(since)}).at(0));
  }
  std::vector<Json> losses(std::int64_t since) override {
    return parse(ask(losses_statement, {std::to_string(since)}));
  }

 private:
  // A test may stop the server: only the first use of the connection shows that it was lost meanwhile.
  std::vector<std::string> ask(const char *statement, const std::vector<std::string> &parameters) {
    try {
      if (connection_) return first_column(connection_.get(), statement, parameters);
    } catch (const std::runtime_error &) {
      if (PQstatus(connection_.get()) == CONNECTION_OK) throw;
    }
    connection_ = open_database(parameters_);
    return first_column(connection_.get(), statement, parameters);
  }
  Counts count(int sid, std::int64_t since, std::int64_t until, bool own) {
    const std::vector<std::string> parameters{std::to_string(since), std::to_string(until),
                                              std::to_string(sid), own ? "true" : "false"};
    return Json::parse(ask(session_statement, parameters).at(0)).get<Counts>();
  }
  static std::vector<Json> parse(const std::vector<std::string> &column) {
    std::vector<Json> rows;
    rows.reserve(column.size());
    for (const std::string &text : column) rows.push_back(Json::parse(text));
    return rows;
  }

  Connection parameters_;
  ConnectionPtr connection_;
};

}  // namespace

std::unique_ptr<Rows> open_postgresql_rows(const Connection &connection) {
  return std::make_unique<PostgresqlRows>(connection);
}

std::string execute(const Connection &connection, const std::string &statement) {
  const ConnectionPtr open = open_database(connection);
  const auto column = first_column(open.get(), statement);
  return column.empty() ? "" : column.front();
}

}  // namespace iptrackd::scenario
