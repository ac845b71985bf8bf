// What happens when the server goes away, comes back, or never answers.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <thread>

#include "core/fd.h"
#include "core/pool.h"
#include "sink/database.h"
#include "sink/postgresql_sink.h"
#include "sink/samples.h"
#include "sink/schema.h"
#include "sink/writer.h"

using namespace iptrackd;
using namespace std::chrono_literals;
using sink::PostgresqlSink;
using sink::Writer;
using test::Cluster;
using test::Database;

namespace {

using Clock = std::chrono::steady_clock;

const sink::Origin origin{"node-1", "0a1b2c3d-0000-4000-8000-00000000000f"};

// Completes handshakes and then says nothing.
class BlackHole {
 public:
  BlackHole() : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(bind(socket_.get(), reinterpret_cast<sockaddr *>(&address), size) == 0);
    REQUIRE(listen(socket_.get(), 5) == 0);
    REQUIRE(getsockname(socket_.get(), reinterpret_cast<sockaddr *>(&address), &size) == 0);
    options.connection = {{"host", "127.0.0.1"}, {"port", std::to_string(ntohs(address.sin_port))}};
  }
  sink::PostgresqlOptions options;

 private:
  Fd socket_;
};

void submit(Pool &pool, std::uint64_t seq) {
  EventPtr event = pool.acquire({});
  *event = test::exec_event(seq, test::now_unix_us());
  event->boot_ns = seq;
  pool.submit(Pool::Source::kernel, std::move(event));
  pool.advance(Pool::Source::kernel, seq + 1);
}

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
  PostgresqlSink sink{hole.options, origin, {}};
  auto before = Clock::now();
  const auto late = sink.open({});
  CHECK(Clock::now() - before < 2s);
  REQUIRE(!late);
  CHECK(late.error().fault() == Fault::connection);
  CHECK(late.error().message() == "cannot connect to PostgreSQL: the server does not answer");

  hole.options.connect_timeout = 1h;
  PostgresqlSink patient{hole.options, origin, {}};
  CHECK(time_to_stop([&](std::stop_token stop) { return patient.open(stop); }) < 100ms);
}

TEST_CASE(
    "a statement that hangs is given up at the timeout, and at once at a stop; then the sink opens again") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  auto options = database.options();
  options.statement_timeout = 300ms;
  PostgresqlSink sink{options, origin, {}};
  const Event event = test::bare_event(1);
  const Event *const events[] = {&event};
  REQUIRE(sink.open({}).has_value());
  database.rows("BEGIN; LOCK TABLE @.event IN ACCESS EXCLUSIVE MODE");
  auto before = Clock::now();
  const auto late = sink.write({events, {}}, {});
  CHECK(Clock::now() - before < 2s);
  REQUIRE(!late);
  CHECK(late.error().fault() == Fault::connection);
  const auto closed = sink.write({events, {}}, {});
  REQUIRE(!closed);
  CHECK(closed.error().fault() == Fault::connection);
  database.rows("ROLLBACK");

  REQUIRE(sink.open({}).has_value());
  options.statement_timeout = 1h;
  PostgresqlSink patient{options, origin, {}};
  database.rows("BEGIN; LOCK TABLE @.event IN ACCESS EXCLUSIVE MODE");
  CHECK(time_to_stop([&](std::stop_token stop) {
          REQUIRE(patient.open({}).has_value());
          return patient.write({events, {}}, stop);
        }) < 100ms);
  database.rows("ROLLBACK");
}

TEST_CASE("the server stops and starts twice under a stream of events: none is lost, rows flow again soon") {
  const Cluster cluster;
  Database database{cluster.connection_env()};
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  Pool::Options pool_options;
  pool_options.max = 100'000;
  Pool pool{pool_options};
  pool.finish(Pool::Source::pam);
  PostgresqlSink sink{database.options(), origin, {"0.1.0", "6.1.0"}};
  REQUIRE(sink.open({}).has_value());
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
  options.linger = 20ms;
  Writer writer{pool, sink, options, observer};
  Writer::Summary summary;
  std::jthread sink_thread{[&] { summary = writer.run({}); }};
  std::atomic<std::uint64_t> submitted{0};
  std::jthread source{[&](std::stop_token stop) {
    while (!stop.stop_requested()) {
      submit(pool, ++submitted);
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
  pool.finish(Pool::Source::kernel);
  sink_thread.join();
  CHECK(failed == 2);
  CHECK(summary.written == submitted);
  CHECK(summary.unwritten == 0);
  CHECK(summary.rejected == 0);
  CHECK(database.one("SELECT count(DISTINCT seq) FROM @.activity") == std::to_string(submitted));
}

TEST_CASE("a poison row in a real database is isolated; the rest of its batch is stored") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  database.rows("ALTER TABLE @.event ADD CONSTRAINT no_poison CHECK (pid NOT IN (17, 400))");
  Pool pool{Pool::Options{}};
  for (std::uint64_t seq = 1; seq <= 500; ++seq) submit(pool, seq);
  pool.finish(Pool::Source::kernel);
  pool.finish(Pool::Source::pam);
  PostgresqlSink sink{database.options(), origin, {}};
  Writer writer{pool, sink, {}, {}};
  const auto summary = writer.run({});
  CHECK(summary.written == 498);
  CHECK(summary.rejected == 2);
  CHECK(database.one("SELECT count(*) FROM @.activity") == "498");
  CHECK(database.one("SELECT host, stage, kind, cause, uid, count FROM @.loss") ==
        "node-1|sink|exec|rejected|1000|2");
}
