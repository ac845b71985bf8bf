#include "sink/postgresql_sink.h"

#include <charconv>
#include <utility>

#include "sink/copy_encoder.h"
#include "sink/escape.h"
#include "sink/pg_connection.h"
#include "sink/schema.h"

namespace iptrackd::sink {
namespace {

constexpr std::chrono::seconds sign_interval{1};
// Partitions are made a week ahead, so that many calls may fail before one is missed.
constexpr std::chrono::hours partition_interval{1};

Result<std::int32_t> as_key(const std::vector<PgConnection::Row> &rows) {
  std::int32_t key = 0;
  if (rows.size() == 1 && !rows[0].empty() && rows[0][0]) {
    const std::string &text = *rows[0][0];
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), key);
    if (code == std::errc{} && end == text.data() + text.size()) return key;
  }
  return fail(Fault::environment, "the database gave no key for this boot");
}

}  // namespace

PostgresqlSink::PostgresqlSink(PostgresqlOptions options, Origin origin, Description description)
    : options_{std::move(options)}, origin_{std::move(origin)}, description_{std::move(description)} {}

PostgresqlSink::~PostgresqlSink() = default;

Result<void> PostgresqlSink::open(std::stop_token stop) {
  if (connection_ != nullptr) return {};
  auto schema = quoted_schema(options_.schema);
  if (!schema) return tl::unexpected{schema.error()};
  schema_ = *std::move(schema);
  auto connection = PgConnection::connect(options_.connection,
                                          {options_.connect_timeout, options_.statement_timeout}, stop);
  if (!connection) return tl::unexpected{connection.error()};
  if (auto ready = set_up(*connection, stop); !ready) return ready;
  connection_ = std::make_unique<PgConnection>(*std::move(connection));
  last_sign_ = last_partitions_ = Clock::now();
  return {};
}

Result<void> PostgresqlSink::set_up(PgConnection &connection, const std::stop_token &stop) {
  if (auto fits = require_schema(connection, options_.schema, stop); !fits) return fits;
  auto rows = connection.query(
      "SELECT " + schema_ + ".register_host($1, $2, $3, $4)",
      {escaped(origin_.host), origin_.boot_id, escaped(description_.version), escaped(description_.kernel)},
      stop);
  if (!rows) return tl::unexpected{rows.error().in_context("cannot announce this host to the database")};
  auto key = as_key(*rows);
  if (!key) return tl::unexpected{key.error()};
  boot_ = *key;
  return connection.execute("SELECT " + schema_ + ".ensure_partitions()", stop);
}

Result<void> PostgresqlSink::write(const Batch &batch, std::stop_token stop) {
  if (connection_ == nullptr) return fail(Fault::connection, "there is no connection to PostgreSQL");
  Result<void> written = transact(batch, stop);
  if (!written) connection_->roll_back(stop);
  if (connection_->lost() || (!written && written.error().fault() == Fault::connection)) {
    connection_.reset();
    return written;
  }
  if (!written) return written;
  // The batch is stored: what goes wrong from here on must not make the caller store it again.
  if (auto made = make_partitions(stop); !made && connection_->lost()) connection_.reset();
  return {};
}

Result<void> PostgresqlSink::transact(const Batch &batch, const std::stop_token &stop) {
  const bool sign_is_due = Clock::now() - last_sign_ >= sign_interval;
  if (batch.empty() && !sign_is_due) return {};
  std::string begin = "BEGIN;";
  if (!batch.events.empty()) {
    CopyEncoder rows;
    for (const Event *event : batch.events) rows.append_event(*event, boot_);
    rows.finish();
    const std::string copy =
        "COPY " + schema_ + ".event (" + std::string{event_columns()} + ") FROM STDIN (FORMAT binary)";
    if (auto copied = connection_->copy_in(begin + copy, rows.bytes(), stop); !copied) return copied;
    begin.clear();
  }
  if (!batch.losses.empty()) {
    CopyEncoder rows;
    for (const Loss &loss : batch.losses) rows.append_loss(loss, origin_.host);
    rows.finish();
    const std::string copy =
        "COPY " + schema_ + ".loss (" + std::string{loss_columns()} + ") FROM STDIN (FORMAT binary)";
    if (auto copied = connection_->copy_in(begin + copy, rows.bytes(), stop); !copied) return copied;
    begin.clear();
  }
  if (sign_is_due) begin += "SELECT " + schema_ + ".sign_of_life(" + std::to_string(boot_) + ");";
  if (auto committed = connection_->execute(begin + "COMMIT", stop); !committed) return committed;
  if (sign_is_due) last_sign_ = Clock::now();
  return {};
}

Result<void> PostgresqlSink::make_partitions(const std::stop_token &stop) {
  if (Clock::now() - last_partitions_ < partition_interval) return {};
  last_partitions_ = Clock::now();
  return connection_->execute("SELECT " + schema_ + ".ensure_partitions()", stop);
}

}  // namespace iptrackd::sink
