// A database that comes back older, a spool that was cloned, rows that are refused: on a real server.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sink/database.h"
#include "sink/fake_source.h"
#include "sink/postgresql_sink.h"
#include "sink/rejects.h"
#include "sink/samples.h"
#include "sink/schema.h"
#include "sink/writer.h"

using namespace iptrackd;
using namespace std::chrono_literals;
using sink::PostgresqlSink;
using sink::Writer;
using test::Database;
using test::FakeSource;

namespace {

const std::string count_all = "SELECT count(*), count(DISTINCT seq) FROM @.event";

struct Fixture {
  Fixture() {
    REQUIRE(sink::apply_schema(database.options(), {}).has_value());
    options.batch.linger = 1ms;
    options.batch.rows = 64;
    options.backoff = {1ms, 5ms};
  }
  static void add(FakeSource &to, std::uint64_t first_seq, std::uint64_t last_seq) {
    for (std::uint64_t seq = first_seq; seq <= last_seq; ++seq)
      to.add(test::exec_event(seq, test::now_unix_us()));
  }
  Writer::Summary run(FakeSource &from) {
    from.end();
    Writer writer{from, sink, test::sample_origin, options, {}, set_aside};
    return writer.run(stop.get_token());
  }
  // 400 events, then 600; returns where the spool stood between.
  Position store_in_two_runs() {
    add(source, 1, 400);
    REQUIRE(run(source).complete);
    const Position between = source.acknowledged();
    add(source, 401, 1000);
    REQUIRE(run(source).complete);
    return between;
  }
  // Back to when the spool stood at POSITION.
  void restore(Position position) {
    database.rows("DELETE FROM @.event WHERE seq > " + std::to_string(position.index));
    database.rows("UPDATE @.spool SET position = " + std::to_string(position.index) +
                  ", token = " + std::to_string(static_cast<std::int64_t>(position.token)));
  }
  Database database;
  PostgresqlSink sink{database.options(), {}};
  FakeSource source{test::sample_origin};
  Writer::Options options;
  Writer::SetAside set_aside;
  std::stop_source stop;
};

}  // namespace

TEST_CASE("a database restored to an earlier state gets everything again, and says so") {
  Fixture f;
  const Position earlier = f.store_in_two_runs();
  f.restore(earlier);  // behind the back of an open connection
  f.add(f.source, 1001, 1100);
  REQUIRE(f.run(f.source).complete);
  CHECK(f.database.one(count_all) == "1100|1100");
  CHECK(f.database.one("SELECT kind, detail FROM @.host_event") ==
        "database-rewound|600 records that were stored are sent again");
  CHECK(f.database.one("SELECT count(*) FROM @.loss") == "0");
}

TEST_CASE("what the spool does not hold any more is one row of loss with the exact count") {
  Fixture f;
  const Position earlier = f.store_in_two_runs();
  f.restore(earlier);
  f.source.forget_before(777);
  REQUIRE(f.run(f.source).complete);
  CHECK(f.database.one(count_all) == "623|623");
  CHECK(f.database.one(
            "SELECT stage, kind, cause, count, from_ts <= to_ts, from_ts > now() - interval '1 hour' "
            "FROM @.loss") == "sink|NULL|database-rewound|377|t|t");
  CHECK(f.database.one("SELECT count(*) FROM @.host_event") == "1");
}

TEST_CASE("a database that was set up anew gets all that the spool holds") {
  Fixture f;
  f.add(f.source, 1, 100);
  REQUIRE(f.run(f.source).complete);
  f.database.rows("DROP SCHEMA @ CASCADE");
  REQUIRE(sink::apply_schema(f.database.options(), {}).has_value());
  f.add(f.source, 101, 110);
  REQUIRE(f.run(f.source).complete);
  CHECK(f.database.one(count_all) == "110|110");
  CHECK(f.database.one("SELECT kind FROM @.host_event") == "database-rewound");
}

TEST_CASE("a cloned spool is told apart, and nothing of either is skipped") {
  Fixture f;
  f.add(f.source, 1, 100);
  REQUIRE(f.run(f.source).complete);
  FakeSource clone{f.source};
  clone.diverge();
  f.add(f.source, 101, 150);
  Fixture::add(clone, 1001, 1200);
  REQUIRE(f.run(f.source).complete);
  REQUIRE(f.run(clone).complete);
  f.add(f.source, 151, 160);
  REQUIRE(f.run(f.source).complete);
  CHECK(f.database.one(count_all) == "360|360");
  CHECK(clone.forks == 1);
  CHECK(f.source.forks == 0);
  CHECK(f.database.rows("SELECT position FROM @.spool ORDER BY 1") == std::vector<std::string>{"160", "300"});
  CHECK(f.database.one("SELECT kind, spool = '" + clone.id() + "' FROM @.host_event") == "spool-forked|t");
}

TEST_CASE("one refused row among 1000: 999 are stored, it is in the file of rejects and on the books") {
  for (const bool stopped_between : {false, true}) {
    Fixture f;
    f.options.batch.rows = 1000;
    f.database.rows("ALTER TABLE @.event ADD CONSTRAINT no_poison CHECK (comm <> 'poison')");
    for (std::uint64_t seq = 1; seq <= 1000; ++seq) {
      f.source.add(test::exec_event(seq, test::now_unix_us(), seq == 357 ? "poison" : "ls"));
    }
    const std::string path =
        (std::filesystem::temp_directory_path() / ("rejects." + test::random_uuid())).string();
    const sink::Rejects rejects{path};
    bool stopped = !stopped_between;
    f.set_aside = [&](const BatchView &view, const Error &error) {
      if (!std::exchange(stopped, true)) f.stop.request_stop();
      return rejects.append(view, error);
    };
    auto summary = f.run(f.source);
    if (stopped_between) {
      CHECK(!summary.complete);
      CHECK(f.database.one("SELECT count(*) FROM @.event") == "356");
      CHECK(f.database.one("SELECT count(*) FROM @.loss") == "0");
      f.stop = std::stop_source{};
      summary = f.run(f.source);
    }
    CHECK(summary.complete);
    CHECK(f.database.one(count_all) == "999|999");
    CHECK(f.database.one("SELECT host, stage, kind, cause, uid, count FROM @.loss") ==
          "node-1|sink|exec|rejected|1000|1");
    std::ifstream file{path};
    int lines = 0;
    for (std::string line; std::getline(file, line); ++lines) {
      const auto row = nlohmann::json::parse(line);
      CHECK(row["entry"]["seq"] == 357);
      CHECK(row["reason"].get<std::string>().find("23514") != std::string::npos);
    }
    CHECK(lines == (stopped_between ? 2 : 1));
    std::filesystem::remove(path);
  }
}
