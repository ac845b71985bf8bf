// PgConnection: one connection to PostgreSQL that never blocks for longer than it was told. The only file,
// with its .cpp, that knows libpq; private to this room.
//
// Every call ends at its deadline (Fault::connection) and within 100 ms of a stop request (Fault::cancelled).
// After either, and whenever lost() says so, the connection is of no more use. One thing escapes: libpq
// resolves host names with the system's resolver, which waits as long as resolv.conf says; an address
// (hostaddr) avoids it.
//
// Not thread-safe.
#ifndef IPTRACKD_SINK_PG_CONNECTION_H
#define IPTRACKD_SINK_PG_CONNECTION_H

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sink/pg_hosts.h"

namespace iptrackd::sink {

class PgConnection {
 public:
  using Clock = std::chrono::steady_clock;
  using Row = std::vector<std::optional<std::string>>;  // fields in text form; nullopt is NULL

  // How long each call may take.
  struct Limits {
    std::chrono::milliseconds connect{10'000};  // for each host that the parameters name; connect_timeout,
                                                // one of them, goes before it
    std::chrono::milliseconds statement{60'000};
  };

  // PARAMETERS are libpq's keywords. Faults: usage (unknown keyword, impossible value), environment (the
  // server's encoding is not UTF-8), connection, cancelled.
  [[nodiscard]] static Result<PgConnection> connect(const PgKeywords &parameters, const Limits &limits,
                                                    std::stop_token stop);

  // Runs one or several statements, separated by semicolons, and forgets their results.
  [[nodiscard]] Result<void> execute(const std::string &sql, std::stop_token stop);
  // Runs one statement with text parameters ($1 ...) and returns its rows.
  [[nodiscard]] Result<std::vector<Row>> query(const std::string &sql,
                                               const std::vector<std::string> &parameters,
                                               std::stop_token stop);
  // Runs SQL, whose last statement is a COPY ... FROM STDIN, and feeds it BYTES.
  [[nodiscard]] Result<void> copy_in(const std::string &sql, std::string_view bytes, std::stop_token stop);

  // Runs SQL and COMMIT in one message: the server is never left waiting between the two.
  [[nodiscard]] Result<void> commit(const std::string &sql, std::stop_token stop);

  // Half a transaction may be open after a failure; this ends it. Failing that, the connection is lost.
  void roll_back(std::stop_token stop);
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  [[nodiscard]] int server_version() const noexcept;  // 150004 is 15.4

 private:
  struct CloseConnection {
    void operator()(PGconn *connection) const noexcept { PQfinish(connection); }
  };
  struct ClearResult {
    void operator()(PGresult *result) const noexcept { PQclear(result); }
  };
  using ResultPtr = std::unique_ptr<PGresult, ClearResult>;

  PgConnection(std::unique_ptr<PGconn, CloseConnection> connection, const Limits &limits)
      : connection_{std::move(connection)}, limits_{limits} {}

  [[nodiscard]] static Result<PgConnection> connect_one(const PgKeywords &server, const Limits &limits,
                                                        const std::stop_token &stop);
  [[nodiscard]] Result<void> establish(Clock::time_point deadline, const std::stop_token &stop);
  [[nodiscard]] Result<void> wait(short events, Clock::time_point deadline, const std::stop_token &stop);
  [[nodiscard]] Result<void> flush(Clock::time_point deadline, const std::stop_token &stop);
  [[nodiscard]] Result<ResultPtr> next_result(Clock::time_point deadline, const std::stop_token &stop);
  [[nodiscard]] Result<std::vector<Row>> collect(Clock::time_point deadline, const std::stop_token &stop);
  [[nodiscard]] Result<void> await_copy(Clock::time_point deadline, const std::stop_token &stop);
  [[nodiscard]] Result<void> send_copy(std::string_view bytes, Clock::time_point deadline,
                                       const std::stop_token &stop);
  [[nodiscard]] tl::unexpected<Error> lose(Fault fault, std::string message);
  [[nodiscard]] tl::unexpected<Error> lose_with_libpq_message();

  std::unique_ptr<PGconn, CloseConnection> connection_;
  Limits limits_;
  std::string last_tag_;  // of the last statement that succeeded or failed
  bool lost_ = false;
};

}  // namespace iptrackd::sink

#endif
