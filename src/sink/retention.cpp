#include "sink/retention.h"

#include <charconv>

#include "sink/pg_connection.h"

namespace iptrackd::sink {
namespace {

// Of 8 KiB: some 80,000 rows, a second or so.
constexpr std::uint64_t blocks_at_once = 4096;
constexpr int attempts = 3;

std::string field(const PgConnection::Row &row, std::size_t column) {
  return column < row.size() ? row[column].value_or("") : "";
}

std::uint64_t unsigned_field(const PgConnection::Row &row, std::size_t column) {
  const std::string text = field(row, column);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// One row of the view expiring.
struct Partition {
  explicit Partition(const PgConnection::Row &row)
      : name{field(row, 0)},
        day{field(row, 1)},
        kinds{field(row, 2)},
        whole{field(row, 3) == "t"},
        blocks{unsigned_field(row, 4)},
        state{field(row, 5)} {}
  std::string name;
  std::string day;  // empty: of no special one
  std::string kinds;
  bool whole;
  std::uint64_t blocks;
  std::string state;
};

class Run {
 public:
  Run(PgConnection &connection, std::string_view schema, const std::stop_token &stop)
      : connection_{connection}, schema_{schema}, stop_{stop} {}

  Result<Expiry> carry_out() {
    auto begun = only_row("SELECT now()", {});
    if (!begun) return tl::unexpected{begun.error()};
    time_ = field(*begun, 0);
    auto rows = connection_.query(
        "SELECT name, day, kinds, whole, blocks, state FROM " + schema_ +
            ".expiring AS e WHERE NOT EXISTS (SELECT FROM " + schema_ +
            ".retention_done AS d WHERE d.partition = e.name AND d.state = e.state) ORDER BY day",
        {}, stop_);
    if (!rows) return tl::unexpected{rows.error()};
    for (const auto &row : *rows) {
      if (auto done = treat(Partition{row}); !done) return tl::unexpected{done.error()};
    }
    return done_;
  }

 private:
  Result<PgConnection::Row> only_row(const std::string &sql, const std::vector<std::string> &parameters) {
    auto rows = connection_.query(sql, parameters, stop_);
    if (!rows) return tl::unexpected{rows.error()};
    if (rows->size() != 1) return fail(Fault::environment, "the database gave no answer");
    return rows->front();
  }

  Result<void> treat(const Partition &partition) {
    for (int attempt = 1; partition.whole; ++attempt) {
      const auto row = only_row("SELECT outcome, rows FROM " + schema_ + ".expire_partition($1, $2, $3)",
                                {partition.name, partition.day, time_});
      if (!row) return tl::unexpected{row.error()};
      const std::string outcome = field(*row, 0);
      if (outcome == "held") break;
      if (outcome == "dropped") {
        ++done_.partitions;
        done_.rows += unsigned_field(*row, 1);
        return {};
      }
      if (attempt == attempts) {
        done_.put_off.push_back(partition.name);
        return {};
      }
    }
    return delete_rows(partition);
  }

  Result<void> delete_rows(const Partition &partition) {
    const std::string day = partition.day.empty() ? "NULL" : "'" + partition.day + "'";
    for (std::uint64_t block = 0; block < partition.blocks; block += blocks_at_once) {
      const auto row = only_row(
          "SELECT rows, held FROM " + schema_ + ".expire_rows($1, " + day + ", $2, $3, $4, $5)",
          {partition.name, partition.kinds, time_, std::to_string(block), std::to_string(blocks_at_once)});
      if (!row) return tl::unexpected{row.error()};
      done_.rows += unsigned_field(*row, 0);
      done_.held += unsigned_field(*row, 1);
    }
    auto noted =
        connection_.query("INSERT INTO " + schema_ +
                              ".retention_done VALUES ($1, $2) ON CONFLICT (partition) DO UPDATE SET "
                              "state = excluded.state",
                          {partition.name, partition.state}, stop_);
    if (!noted) return tl::unexpected{noted.error()};
    return {};
  }

  PgConnection &connection_;
  const std::string schema_;  // quoted
  const std::stop_token &stop_;
  std::string time_;
  Expiry done_;
};

}  // namespace

Result<Expiry> expire_events(PgConnection &connection, std::string_view schema, const std::stop_token &stop) {
  return Run{connection, schema, stop}.carry_out();
}

}  // namespace iptrackd::sink
