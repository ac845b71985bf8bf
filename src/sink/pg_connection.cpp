#include "sink/pg_connection.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "sink/pg_error.h"

namespace iptrackd::sink {
namespace {

using std::chrono::milliseconds;

// How soon a stop request is noticed; the contract of sink.h says 100 ms.
constexpr milliseconds stop_check_interval{25};
// COPY data goes out in pieces of this size, so that libpq never buffers a second copy of the batch.
constexpr std::size_t copy_chunk = 64U << 10;
constexpr std::string_view connect_failure = "cannot connect to PostgreSQL";

std::string describe(const PGresult *result) {
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
  std::string text = one_line(primary != nullptr ? primary : PQresultErrorMessage(result));
  if (detail != nullptr) text += " (" + one_line(detail) + ")";
  if (state != nullptr) text += std::string{" [SQLSTATE "} + state + "]";
  return text;
}

Error error_of(const PGresult *result) {
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  return {fault_of_sqlstate(state != nullptr ? state : ""), describe(result)};
}

Result<void> check_keywords(const PgKeywords &parameters) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> known{PQconndefaults(), &PQconninfoFree};
  if (known == nullptr) return fail(Fault::environment, "out of memory");
  for (const auto &[keyword, value] : parameters) {
    const PQconninfoOption *option = known.get();
    while (option->keyword != nullptr && keyword != option->keyword) ++option;
    if (option->keyword == nullptr) {
      return fail(Fault::usage, "'" + keyword + "' is no connection keyword of PostgreSQL's libpq");
    }
  }
  return {};
}

// A library room is silent, and libpq would print the server's notices on stderr.
void ignore_notice(void *, const PGresult *) {}

PGconn *begin_connect(const PgKeywords &parameters) {
  std::vector<const char *> keywords;
  std::vector<const char *> values;
  for (const auto &[keyword, value] : parameters) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  return PQconnectStartParams(keywords.data(), values.data(), 1);
}

// libpq itself heeds the keyword only where it does the waiting, which is done here.
milliseconds time_to_connect(const PgKeywords &parameters, milliseconds otherwise) {
  constexpr int longest = 86'400;
  const auto given = parameters.find("connect_timeout");
  if (given == parameters.end()) return otherwise;
  const std::string &text = given->second;
  int seconds = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (code == std::errc::result_out_of_range && !text.starts_with('-')) seconds = longest;
  return seconds > 0 ? std::chrono::seconds{std::min(seconds, longest)} : otherwise;
}

}  // namespace

Result<PgConnection> PgConnection::connect(const PgKeywords &parameters, const Limits &limits,
                                           std::stop_token stop) {
  if (auto checked = check_keywords(parameters); !checked) return tl::unexpected{checked.error()};
  const auto servers = each_server(with_defaults(parameters));
  const Limits of_each{time_to_connect(parameters, limits.connect), limits.statement};
  Result<PgConnection> connection = connect_one(servers.front(), of_each, stop);
  for (std::size_t i = 1; i < servers.size(); ++i) {
    if (connection || connection.error().fault() != Fault::connection) break;
    const Error before = connection.error();
    connection = connect_one(servers[i], of_each, stop);
    if (!connection && connection.error().message() != before.message()) {
      connection = tl::unexpected{connection.error().in_context(before.message())};
    }
  }
  return connection;
}

Result<PgConnection> PgConnection::connect_one(const PgKeywords &server, const Limits &limits,
                                               const std::stop_token &stop) {
  PgConnection self{std::unique_ptr<PGconn, CloseConnection>{begin_connect(server)}, limits};
  if (self.connection_ == nullptr) return fail(Fault::environment, "out of memory");
  if (PQstatus(self.connection_.get()) == CONNECTION_BAD) {
    const std::string message = one_line(PQerrorMessage(self.connection_.get()));
    // libpq has no code for it, but words every complaint about a value like this.
    const bool value_is_wrong = message.starts_with("invalid ") || message.starts_with("could not match ");
    return fail(value_is_wrong ? Fault::usage : Fault::connection,
                std::string{connect_failure} + ": " + message);
  }
  PQsetNoticeReceiver(self.connection_.get(), ignore_notice, nullptr);
  if (auto established = self.establish(Clock::now() + limits.connect, stop); !established) {
    return tl::unexpected{established.error().in_context(std::string{connect_failure})};
  }
  const char *encoding = PQparameterStatus(self.connection_.get(), "server_encoding");
  if (encoding == nullptr || std::string_view{encoding} != "UTF8") {
    return fail(Fault::environment, "the database's encoding is " +
                                        std::string{encoding != nullptr ? encoding : "unknown"} +
                                        "; create one with ENCODING 'UTF8'");
  }
  return self;
}

Result<void> PgConnection::establish(Clock::time_point deadline, const std::stop_token &stop) {
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) return lose_with_libpq_message();
    const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (auto ready = wait(events, deadline, stop); !ready) return ready;
    state = PQconnectPoll(connection_.get());
  }
  if (PQsetnonblocking(connection_.get(), 1) != 0) return lose_with_libpq_message();
  return {};
}

tl::unexpected<Error> PgConnection::lose(Fault fault, std::string message) {
  lost_ = true;
  return fail(fault, std::move(message));
}

tl::unexpected<Error> PgConnection::lose_with_libpq_message() {
  const std::string message = one_line(PQerrorMessage(connection_.get()));
  return lose(Fault::connection, message.empty() ? "the connection was lost" : message);
}

Result<void> PgConnection::wait(short events, Clock::time_point deadline, const std::stop_token &stop) {
  while (true) {
    if (stop.stop_requested()) return lose(Fault::cancelled, "told to stop");
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (left <= milliseconds::zero()) return lose(Fault::connection, "the server does not answer");
    pollfd entry{PQsocket(connection_.get()), events, 0};
    const int ready = poll(&entry, 1, static_cast<int>(std::min(left, stop_check_interval).count()));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) {
      const auto failed = fail_errno("poll");
      return lose(Fault::connection, failed.value().message());
    }
  }
}

// Reads while it writes: a server that has something to say first would otherwise stop taking our data.
Result<void> PgConnection::flush(Clock::time_point deadline, const std::stop_token &stop) {
  while (true) {
    const int state = PQflush(connection_.get());
    if (state == 0) return {};
    if (state < 0) return lose_with_libpq_message();
    if (auto ready = wait(POLLIN | POLLOUT, deadline, stop); !ready) return ready;
    if (PQconsumeInput(connection_.get()) == 0) return lose_with_libpq_message();
  }
}

Result<PgConnection::ResultPtr> PgConnection::next_result(Clock::time_point deadline,
                                                          const std::stop_token &stop) {
  while (PQisBusy(connection_.get()) != 0) {
    if (auto ready = wait(POLLIN, deadline, stop); !ready) return tl::unexpected{ready.error()};
    if (PQconsumeInput(connection_.get()) == 0) return lose_with_libpq_message();
  }
  return ResultPtr{PQgetResult(connection_.get())};
}

namespace {

std::vector<PgConnection::Row> rows_of(const PGresult *result) {
  const int fields = PQnfields(result);
  std::vector<PgConnection::Row> rows(static_cast<std::size_t>(PQntuples(result)));
  int number = 0;
  for (auto &row : rows) {
    row.resize(static_cast<std::size_t>(fields));
    for (int f = 0; f < fields; ++f) {
      if (PQgetisnull(result, number, f) != 0) continue;
      row[f] = std::string(PQgetvalue(result, number, f), PQgetlength(result, number, f));
    }
    ++number;
  }
  return rows;
}

}  // namespace

// All results of what was sent, up to the last one; the first error wins, the last rows are returned.
Result<std::vector<PgConnection::Row>> PgConnection::collect(Clock::time_point deadline,
                                                             const std::stop_token &stop) {
  std::vector<Row> rows;
  std::optional<Error> error;
  while (true) {
    auto result = next_result(deadline, stop);
    if (!result) return tl::unexpected{error.value_or(result.error())};
    if (*result == nullptr) break;
    const PGresult *raw = result->get();
    const ExecStatusType status = PQresultStatus(raw);
    last_tag_ = PQcmdStatus(const_cast<PGresult *>(raw));
    if (status == PGRES_TUPLES_OK) {
      rows = rows_of(raw);
    } else if (status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY && !error) {
      error = error_of(raw);
    }
  }
  if (PQstatus(connection_.get()) == CONNECTION_BAD) {
    lost_ = true;
    if (!error) return lose_with_libpq_message();
  }
  if (error) return tl::unexpected{*error};
  return rows;
}

Result<void> PgConnection::execute(const std::string &sql, std::stop_token stop) {
  const auto deadline = Clock::now() + limits_.statement;
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) return lose_with_libpq_message();
  if (auto flushed = flush(deadline, stop); !flushed) return flushed;
  if (auto rows = collect(deadline, stop); !rows) return tl::unexpected{rows.error()};
  return {};
}

Result<std::vector<PgConnection::Row>> PgConnection::query(const std::string &sql,
                                                           const std::vector<std::string> &parameters,
                                                           std::stop_token stop) {
  const auto deadline = Clock::now() + limits_.statement;
  std::vector<const char *> values;
  values.reserve(parameters.size());
  for (const std::string &parameter : parameters) values.push_back(parameter.c_str());
  if (PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                        values.data(), nullptr, nullptr, 0) == 0) {
    return lose_with_libpq_message();
  }
  if (auto flushed = flush(deadline, stop); !flushed) return tl::unexpected{flushed.error()};
  return collect(deadline, stop);
}

// Takes the results of the statements before the COPY. An error among them ends the whole string.
Result<void> PgConnection::await_copy(Clock::time_point deadline, const std::stop_token &stop) {
  while (true) {
    auto result = next_result(deadline, stop);
    if (!result) return tl::unexpected{result.error()};
    if (*result == nullptr) return fail(Fault::environment, "the server did not ask for COPY data");
    const ExecStatusType status = PQresultStatus(result->get());
    if (status == PGRES_COPY_IN) return {};
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) continue;
    Error error = error_of(result->get());
    if (auto rest = collect(deadline, stop); !rest && lost_) error = {Fault::connection, error.message()};
    return tl::unexpected{std::move(error)};
  }
}

Result<void> PgConnection::send_copy(std::string_view bytes, Clock::time_point deadline,
                                     const std::stop_token &stop) {
  while (!bytes.empty()) {
    const std::string_view chunk = bytes.substr(0, copy_chunk);
    const int taken = PQputCopyData(connection_.get(), chunk.data(), static_cast<int>(chunk.size()));
    if (taken < 0) return lose_with_libpq_message();
    if (taken > 0) bytes.remove_prefix(chunk.size());
    if (auto flushed = flush(deadline, stop); !flushed) return flushed;
  }
  int ended = 0;
  while ((ended = PQputCopyEnd(connection_.get(), nullptr)) == 0) {
    if (auto flushed = flush(deadline, stop); !flushed) return flushed;
  }
  if (ended < 0) return lose_with_libpq_message();
  return flush(deadline, stop);
}

Result<void> PgConnection::copy_in(const std::string &sql, std::string_view bytes, std::stop_token stop) {
  const auto deadline = Clock::now() + limits_.statement;
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) return lose_with_libpq_message();
  if (auto flushed = flush(deadline, stop); !flushed) return flushed;
  if (auto asked = await_copy(deadline, stop); !asked) return asked;
  if (auto sent = send_copy(bytes, deadline, stop); !sent) return sent;
  if (auto rows = collect(deadline, stop); !rows) return tl::unexpected{rows.error()};
  return {};
}

Result<void> PgConnection::commit(const std::string &sql, std::stop_token stop) {
  if (auto done = execute(sql + ";COMMIT", std::move(stop)); !done) return done;
  // A transaction that had failed answers COMMIT with this, and no error.
  if (last_tag_ != "COMMIT")
    return lose(Fault::connection, "the server answered " + last_tag_ + " to COMMIT");
  return {};
}

void PgConnection::roll_back(std::stop_token stop) {
  if (lost_) return;
  if (PQstatus(connection_.get()) == CONNECTION_BAD || !execute("ROLLBACK", std::move(stop))) lost_ = true;
}

int PgConnection::server_version() const noexcept {
  return PQserverVersion(connection_.get());
}

}  // namespace iptrackd::sink
