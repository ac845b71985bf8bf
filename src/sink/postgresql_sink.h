// The driver `postgresql`: each batch by binary COPY in one transaction.
//
// A connection that is lost while COMMIT is under way leaves open whether the batch was stored; the caller
// will write it again, so that a batch may then be there twice, never not at all.
#ifndef IPTRACKD_SINK_POSTGRESQL_SINK_H
#define IPTRACKD_SINK_POSTGRESQL_SINK_H

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

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

  PostgresqlSink(PostgresqlOptions options, Origin origin, Description description);
  ~PostgresqlSink() override;

  [[nodiscard]] std::string_view driver() const noexcept override { return "postgresql"; }
  // Connects, checks the schema's version, announces the host and makes partitions ahead.
  [[nodiscard]] Result<void> open(std::stop_token stop) override;
  // Also notes, at most once a second, that the host lives; an empty batch does only that.
  [[nodiscard]] Result<void> write(const Batch &batch, std::stop_token stop) override;

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] Result<void> set_up(PgConnection &connection, const std::stop_token &stop);
  [[nodiscard]] Result<void> transact(const Batch &batch, const std::stop_token &stop);
  [[nodiscard]] Result<void> make_partitions(const std::stop_token &stop);

  PostgresqlOptions options_;
  Origin origin_;
  Description description_;
  std::string schema_;  // quoted
  std::unique_ptr<PgConnection> connection_;
  std::int32_t boot_ = 0;
  Clock::time_point last_sign_{};
  Clock::time_point last_partitions_{};
};

}  // namespace iptrackd::sink

#endif
