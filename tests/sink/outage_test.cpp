// What happens when the server goes away, comes back, or never answers.
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <thread>

#include "sink/database.h"
#include "sink/fake_source.h"
#include "sink/postgresql_sink.h"
#include "sink/samples.h"
#include "sink/schema.h"
#include "sink/service.h"
#include "sink/writer.h"

using namespace iptrackd;
using namespace std::chrono_literals;
using sink::PostgresqlSink;
using sink::Writer;
using test::Cluster;
using test::Database;

namespace {

using Clock = std::chrono::steady_clock;

struct BlackHole {
  BlackHole() {
    options.connection = {{"host", "127.0.0.1"}, {"port", std::to_string(test::port_of(socket))}};
  }
  Fd socket = test::silent_listener();
  sink::PostgresqlOptions options;
};

// How long CALL goes on after its stop token was told to stop. The quickest of three: a busy machine may
// delay any one of them, but not hide a wait of ours in all.
template <typename Call>
Clock::duration time_to_stop(Call call) {
  auto quickest = Clock::duration::max();
  for (int tries = 0; tries < 3; ++tries) {
    std::stop_source stop;
    Clock::time_point asked;
    std::jthread stopper{[&] {
      std::this_thread::sleep_for(100ms);
      asked = Clock::now();
      stop.request_stop();
    }};
    const Result<void> stopped = call(stop.get_token());
    const auto answered = Clock::now();
    stopper.join();
    REQUIRE(!stopped);
    CHECK(stopped.error().fault() == Fault::cancelled);
    quickest = std::min(quickest, answered - asked);
  }
  return quickest;
}

}  // namespace

TEST_CASE("a server that never answers is given up at the timeout, and at once at a stop") {
  BlackHole hole;
  hole.options.connect_timeout = 300ms;
  PostgresqlSink sink{hole.options, {}};
  auto before = Clock::now();
  const auto late = test::open(sink);
  CHECK(Clock::now() - before < 2s);
  REQUIRE(!late);
  CHECK(late.error().fault() == Fault::connection);
  CHECK(late.error().message() == "cannot connect to PostgreSQL: the server does not answer");

  hole.options.connect_timeout = 1h;
  PostgresqlSink patient{hole.options, {}};
  CHECK(time_to_stop([&](std::stop_token stop) { return test::open(patient, stop); }) < 100ms);
}

TEST_CASE("connect_timeout among the connection keywords is how long a server is waited for") {
  BlackHole hole;
  hole.options.connect_timeout = 1h;
  hole.options.connection["connect_timeout"] = "1";
  PostgresqlSink sink{hole.options, {}};
  const auto late = test::open(sink);
  REQUIRE(!late);
  CHECK(late.error().message() == "cannot connect to PostgreSQL: the server does not answer");
}

TEST_CASE(
    "a statement that hangs is given up at the timeout, and at once at a stop; then the sink opens again") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  auto options = database.options();
  options.statement_timeout = 300ms;
  PostgresqlSink sink{options, {}};
  const Event event = test::bare_event(1);
  REQUIRE(test::open(sink).has_value());
  database.rows("BEGIN; LOCK TABLE @.event IN ACCESS EXCLUSIVE MODE");
  auto before = Clock::now();
  const auto late = test::store(sink, {event});
  CHECK(Clock::now() - before < 2s);
  REQUIRE(!late);
  CHECK(late.error().fault() == Fault::connection);
  const auto closed = sink.write(test::sample_spool, {}, {});
  REQUIRE(!closed);
  CHECK(closed.error().fault() == Fault::connection);
  database.rows("ROLLBACK");

  REQUIRE(test::open(sink).has_value());
  options.statement_timeout = 1h;
  PostgresqlSink patient{options, {}};
  database.rows("BEGIN; LOCK TABLE @.event IN ACCESS EXCLUSIVE MODE");
  CHECK(time_to_stop([&](std::stop_token stop) {
          REQUIRE(test::open(patient).has_value());
          return test::store(patient, {event}, {}, {}, stop);
        }) < 100ms);
  database.rows("ROLLBACK");
}

TEST_CASE("the server stops and starts twice under a stream of events: none is lost, rows flow again soon") {
  const Cluster cluster;
  Database database{cluster.connection_env()};
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  test::FakeSource spool{test::sample_origin};
  PostgresqlSink sink{database.options(), {"0.1.0", "6.1.0"}};
  REQUIRE(test::open(sink).has_value());
  std::atomic<int> failed{0};
  std::atomic<int> recovered{0};
  std::atomic<Clock::time_point> last_recovery{Clock::now()};
  Writer::Observer observer;
  observer.failed = [&](const Error &error) {
    ++failed;
    CHECK(error.retryable());
  };
  observer.recovered = [&] {
    ++recovered;
    last_recovery = Clock::now();
  };
  Writer::Options options;
  options.batch.linger = 20ms;
  Writer writer{spool, sink, test::sample_origin, options, observer, {}};
  Writer::Summary summary;
  std::jthread sink_thread{[&] { summary = writer.run({}); }};
  std::atomic<std::uint64_t> submitted{0};
  std::jthread source{[&](std::stop_token stop) {
    while (!stop.stop_requested()) {
      spool.add(test::exec_event(++submitted, test::now_unix_us()));
      std::this_thread::sleep_for(2ms);
    }
  }};
  for (int outage = 1; outage <= 2; ++outage) {
    std::this_thread::sleep_for(300ms);
    cluster.stop();
    std::this_thread::sleep_for(1500ms);
    cluster.start();
    const auto back = Clock::now();
    while (recovered < outage && Clock::now() - back < 5s) std::this_thread::sleep_for(5ms);
    CHECK(recovered == outage);
    CHECK(last_recovery.load() - back < 2s);
  }
  source.request_stop();
  source.join();
  spool.end();
  sink_thread.join();
  CHECK(failed == 2);
  CHECK(summary.written == submitted);
  CHECK(summary.complete);
  CHECK(summary.rejected == 0);
  CHECK(database.one("SELECT count(*), count(DISTINCT seq) FROM @.activity") ==
        std::to_string(submitted) + "|" + std::to_string(submitted));
}
