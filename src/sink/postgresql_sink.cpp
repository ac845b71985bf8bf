#include "sink/postgresql_sink.h"

#include <charconv>
#include <utility>

#include "core/clock.h"
#include "sink/copy_encoder.h"
#include "sink/escape.h"
#include "sink/pg_connection.h"
#include "sink/pg_transaction.h"
#include "sink/schema.h"

namespace iptrackd::sink {
namespace {

constexpr std::chrono::seconds sign_interval{1};
// Partitions are made a week ahead, so that many calls may fail before one is missed.
constexpr std::chrono::hours partition_interval{1};
// What has happened may be on its way to the spool for that long.
constexpr std::chrono::seconds in_flight{2};

std::optional<std::int64_t> number(const std::vector<PgConnection::Row> &rows, std::size_t column) {
  std::int64_t value = 0;
  if (rows.size() != 1 || rows[0].size() <= column || !rows[0][column]) return std::nullopt;
  const std::string &text = *rows[0][column];
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_sign_of_life(const BatchView &view) {
  return view.empty() && view.from == view.to;
}

std::optional<std::int64_t> delivered_by(const BatchView &view) {
  if (!view.events.empty()) return view.events.back().unix_us;
  if (!is_sign_of_life(view)) return std::nullopt;
  return unix_time_us() - std::chrono::microseconds{in_flight}.count();
}

}  // namespace

PostgresqlSink::PostgresqlSink(PostgresqlOptions options, Description description)
    : options_{std::move(options)}, description_{std::move(description)} {}

PostgresqlSink::~PostgresqlSink() = default;

Result<std::optional<Position>> PostgresqlSink::open(const std::string &spool_id, const Origin &origin,
                                                     std::stop_token stop) {
  if (connection_ == nullptr) {
    if (auto connected = connect(stop); !connected) return tl::unexpected{connected.error()};
  }
  auto position = announce(spool_id, origin, stop);
  if (!position) {
    clean_up(position.error(), stop);
    return tl::unexpected{position.error().in_context("cannot announce this host to the database")};
  }
  return *position;
}

Result<void> PostgresqlSink::connect(const std::stop_token &stop) {
  auto schema = quoted_schema(options_.schema);
  if (!schema) return tl::unexpected{schema.error()};
  schema_ = *std::move(schema);
  auto connection = PgConnection::connect(options_.connection,
                                          {options_.connect_timeout, options_.statement_timeout}, stop);
  if (!connection) return tl::unexpected{connection.error()};
  if (auto fits = require_schema(*connection, options_.schema, stop); !fits) return fits;
  if (auto made = connection->execute("SELECT " + schema_ + ".ensure_partitions()", stop); !made) return made;
  connection_ = std::make_unique<PgConnection>(*std::move(connection));
  last_sign_ = last_partitions_ = Clock::now();
  return {};
}

Result<Position> PostgresqlSink::announce(const std::string &spool_id, const Origin &origin,
                                          const std::stop_token &stop) {
  boots_.clear();
  const std::string id = escaped(spool_id);
  auto rows =
      connection_->query("SELECT position, token, (extract(epoch FROM delivered) * 1000000)::bigint FROM " +
                             schema_ + ".register_spool($1, $2)",
                         {id, escaped(origin.host)}, stop);
  if (!rows) return tl::unexpected{rows.error()};
  const auto index = number(*rows, 0);
  const auto token = number(*rows, 1);
  if (!index || !token) return fail(Fault::environment, "the database gave no position for this spool");
  stored_until_ = number(*rows, 2);
  auto host = connection_->query("SELECT " + schema_ + ".register_host($1, $2, $3, $4, $5)",
                                 {id, escaped(origin.host), escaped(origin.boot_id),
                                  escaped(description_.version), escaped(description_.kernel)},
                                 stop);
  if (!host) return tl::unexpected{host.error()};
  return Position{static_cast<std::uint64_t>(*index), static_cast<std::uint64_t>(*token)};
}

Result<std::int32_t> PostgresqlSink::boot_of(const Origin &origin, const std::stop_token &stop) {
  const std::pair<std::string, std::string> key{origin.host, origin.boot_id};
  if (const auto known = boots_.find(key); known != boots_.end()) return known->second;
  auto rows = connection_->query("SELECT " + schema_ + ".register_boot($1, $2)",
                                 {escaped(origin.host), escaped(origin.boot_id)}, stop);
  if (!rows) return tl::unexpected{rows.error()};
  const auto boot = number(*rows, 0);
  if (!boot) return fail(Fault::environment, "the database gave no key for this boot");
  return boots_[key] = static_cast<std::int32_t>(*boot);
}

Result<void> PostgresqlSink::write(const std::string &spool_id, const BatchView &view, std::stop_token stop) {
  if (connection_ == nullptr) return fail(Fault::connection, "there is no connection to PostgreSQL");
  if (auto written = transact(spool_id, view, stop); !written) {
    clean_up(written.error(), stop);
    return written;
  }
  // The view is stored: what goes wrong from here on must not make the caller store it again.
  if (auto made = make_partitions(stop); !made && connection_->lost()) connection_.reset();
  return {};
}

Result<void> PostgresqlSink::rehearse(const BatchView &view, std::stop_token stop) {
  if (connection_ == nullptr) return fail(Fault::connection, "there is no connection to PostgreSQL");
  auto begin = copy("", view, stop);
  if (begin) connection_->roll_back(stop);
  if (!begin) clean_up(begin.error(), stop);
  if (begin && connection_->lost()) connection_.reset();
  if (!begin) return tl::unexpected{begin.error()};
  return {};
}

void PostgresqlSink::clean_up(const Error &error, const std::stop_token &stop) {
  connection_->roll_back(stop);
  if (connection_->lost() || error.fault() == Fault::connection) connection_.reset();
}

Result<std::string> PostgresqlSink::copy(const std::string &spool_id, const BatchView &view,
                                         const std::stop_token &stop) {
  std::int32_t boot = 0;
  if (!view.events.empty()) {
    auto key = boot_of(*view.origin, stop);
    if (!key) return tl::unexpected{key.error()};
    boot = *key;
  }
  std::string begin = begin_statement(options_.statement_timeout);
  const auto send = [&](const char *table, std::string_view columns, const auto &entries,
                        auto append) -> Result<void> {
    if (entries.empty()) return {};
    CopyEncoder rows;
    for (const auto &entry : entries) append(rows, entry);
    rows.finish();
    const std::string sql = std::exchange(begin, {}) + "COPY " + schema_ + "." + table + " (" +
                            std::string{columns} + ") FROM STDIN (FORMAT binary)";
    return connection_->copy_in(sql, rows.bytes(), stop);
  };
  auto sent = send("event", event_columns(), view.events,
                   [&](CopyEncoder &rows, const Event &event) { rows.append_event(event, boot); });
  if (sent) {
    sent = send("loss", loss_columns(), view.losses,
                [&](CopyEncoder &rows, const Loss &loss) { rows.append_loss(loss, *view.origin, spool_id); });
  }
  if (sent) {
    sent = send("host_event", host_event_columns(), view.host_events,
                [&](CopyEncoder &rows, const HostEvent &event) {
                  rows.append_host_event(event, *view.origin, spool_id);
                });
  }
  if (!sent) return tl::unexpected{sent.error()};
  return begin;
}

Result<void> PostgresqlSink::transact(const std::string &spool_id, const BatchView &view,
                                      const std::stop_token &stop) {
  const bool sign = is_sign_of_life(view) || Clock::now() - last_sign_ >= sign_interval;
  auto last = copy(spool_id, view, stop);
  if (!last) return tl::unexpected{last.error()};
  if (sign) *last += sign_statement(schema_, spool_id, vitals());
  *last += advance_statement(schema_, spool_id, view.from, view.to, delivered_by(view));
  if (auto committed = connection_->commit(*last, stop); !committed) return committed;
  if (sign) last_sign_ = Clock::now();
  return {};
}

Result<void> PostgresqlSink::make_partitions(const std::stop_token &stop) {
  if (Clock::now() - last_partitions_ < partition_interval) return {};
  last_partitions_ = Clock::now();
  return connection_->execute("SELECT " + schema_ + ".ensure_partitions()", stop);
}

}  // namespace iptrackd::sink
