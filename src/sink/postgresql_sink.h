// The driver `postgresql`: each view by binary COPY in one transaction, together with the spool's step.
//
//   BEGIN; SET LOCAL ...; COPY event    ─> rows           one round trip for each table
//                         COPY loss     ─> rows
//                         COPY host_event -> rows
//   SELECT sign_of_life(); SELECT advance_spool(from, to); COMMIT       one message, the last
//
// advance_spool() raises where the spool does not stand at `from`. A COMMIT whose answer is lost, or that
// arrives when nobody waits for it any more, therefore stores a view once, whatever was tried in between. The
// spool's row is locked by the last message only, so that a connection that goes silent before it hinders
// nobody.
//
// Nothing is kept in the session, so that a pooler may give each transaction another one.
#ifndef IPTRACKD_SINK_POSTGRESQL_SINK_H
#define IPTRACKD_SINK_POSTGRESQL_SINK_H

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "sink/postgresql.h"
#include "sink/sink.h"

namespace iptrackd::sink {

class PgConnection;

class PostgresqlSink final : public Sink {
 public:
  // What iptrackd.hosts shows of the daemon.
  struct Description {
    std::string version;
    std::string kernel;
  };

  PostgresqlSink(PostgresqlOptions options, Description description);
  ~PostgresqlSink() override;

  [[nodiscard]] std::string_view driver() const noexcept override { return "postgresql"; }
  // Connects, checks the schema's version, announces the host and makes partitions ahead.
  [[nodiscard]] Result<std::optional<Position>> open(const std::string &spool_id, const Origin &origin,
                                                     std::stop_token stop) override;
  // Also notes that the host lives: for an empty view always, else at most once a second.
  [[nodiscard]] Result<void> write(const std::string &spool_id, const BatchView &view,
                                   std::stop_token stop) override;
  [[nodiscard]] Result<void> rehearse(const BatchView &view, std::stop_token stop) override;
  [[nodiscard]] std::optional<std::int64_t> stored_until() const override { return stored_until_; }

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] Result<void> connect(const std::stop_token &stop);
  [[nodiscard]] Result<Position> announce(const std::string &spool_id, const Origin &origin,
                                          const std::stop_token &stop);
  [[nodiscard]] Result<std::int32_t> boot_of(const Origin &origin, const std::stop_token &stop);
  // Sends the rows of VIEW. Returns what is still to be sent in front of the next statement.
  [[nodiscard]] Result<std::string> copy(const std::string &spool_id, const BatchView &view,
                                         const std::stop_token &stop);
  [[nodiscard]] Result<void> transact(const std::string &spool_id, const BatchView &view,
                                      const std::stop_token &stop);
  [[nodiscard]] Result<void> make_partitions(const std::stop_token &stop);
  // After a failure: nothing half done is left behind.
  void clean_up(const Error &error, const std::stop_token &stop);

  PostgresqlOptions options_;
  Description description_;
  std::string schema_;  // quoted
  std::unique_ptr<PgConnection> connection_;
  // The keys of host and boot in the table boot, as this connection was told them.
  std::map<std::pair<std::string, std::string>, std::int32_t> boots_;
  std::optional<std::int64_t> stored_until_;
  Clock::time_point last_sign_{};
  Clock::time_point last_partitions_{};
};

}  // namespace iptrackd::sink

#endif
