// Ambiguous commits: the connection is cut behind COMMIT, or COMMIT itself arrives when nobody waits for it
// any more.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sink/database.h"
#include "sink/fake_source.h"
#include "sink/postgresql_sink.h"
#include "sink/proxy.h"
#include "sink/samples.h"
#include "sink/schema.h"
#include "sink/writer.h"

using namespace iptrackd;
using namespace std::chrono_literals;
using sink::PostgresqlSink;
using sink::Writer;
using test::Cluster;
using test::Database;
using test::FakeSource;
using test::Proxy;

namespace {

using Clock = std::chrono::steady_clock;

Writer::Options quick() {
  auto options = test::small_batches(20, 1ms);
  options.backoff = {5ms, 50ms};
  return options;
}

// A host with a spool of COUNT events and a proxy of its own.
struct Host {
  Host(const sink::PostgresqlOptions &server, int number, int count)
      : origin{"node-" + std::to_string(number), test::random_uuid()},
        source{origin},
        proxy{server.connection},
        options{server} {
    options.connection = proxy.connection();
    for (int seq = 1; seq <= count; ++seq) {
      source.add(test::exec_event(static_cast<std::uint64_t>(seq), test::now_unix_us()));
    }
    source.end();
  }
  void run() {
    PostgresqlSink sink{options, {}};
    Writer writer{source, sink, origin, quick(), {}, {}};
    summary = writer.run({});
    counters = writer.counters();
  }
  Origin origin;
  FakeSource source;
  Proxy proxy;
  sink::PostgresqlOptions options;
  Writer::Summary summary;
  Writer::Counters counters;
};

// HOSTS each have their first COMMIT swallowed, and delivered DELAY later, when all is stored without it.
void swallow_commits(Database &database, int hosts, std::chrono::milliseconds delay) {
  std::vector<std::unique_ptr<Host>> all;
  for (int i = 0; i < hosts; ++i) {
    all.push_back(std::make_unique<Host>(database.options(), i, 40));
    all.back()->proxy.plan(Proxy::Fault::delay_commit, 1, delay);
  }
  {
    std::vector<std::jthread> threads;
    for (auto &host : all) threads.emplace_back([&host] { host->run(); });
  }
  const auto deadline = Clock::now() + delay + 20s;
  for (auto &host : all) {
    CHECK(host->summary.complete);
    CHECK(host->proxy.met() == 1);
    while (host->proxy.delivered() < 1 && Clock::now() < deadline) std::this_thread::sleep_for(10ms);
    CHECK(host->proxy.delivered() == 1);
  }
}

bool is_long() {
  return std::getenv("IPTRACKD_LONG_TESTS") != nullptr;
}

void allow_connections(const Cluster &cluster) {
  Database{cluster.connection_env()}.rows("ALTER SYSTEM SET max_connections = 200");
  cluster.stop();
  cluster.start();
}

const std::string count_all = "SELECT count(*), count(DISTINCT (boot, seq)) FROM @.event";

}  // namespace

TEST_CASE("the connection is cut behind COMMIT 50 times: nothing twice, nothing lost") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  Host host{database.options(), 1, 2000};
  host.proxy.plan(Proxy::Fault::cut_after_commit, 50);
  host.run();
  CHECK(host.proxy.met() == 50);
  CHECK(host.summary.complete);
  CHECK(host.counters.errors == 50);
  CHECK(database.one(count_all) == "2000|2000");
  CHECK(database.one("SELECT count(*) FROM @.host_event") == "0");
  CHECK(database.one("SELECT position FROM @.spool") == "2000");
}

TEST_CASE("COMMIT is swallowed and delivered later, for 50 spools: nothing twice, nothing lost") {
  const Cluster cluster;
  allow_connections(cluster);
  Database database{cluster.connection_env()};
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  swallow_commits(database, 50, is_long() ? 30'000ms : 3000ms);
  CHECK(database.one(count_all) == "2000|2000");
  CHECK(database.one("SELECT count(*) FROM @.spool WHERE position = 40") == "50");
}

TEST_CASE("control: with a plain UPDATE a COMMIT that arrives late does duplicate") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  database.rows(
      "CREATE OR REPLACE FUNCTION @.advance_spool(a_id uuid, a_from_index bigint, a_from_token bigint, "
      "a_to_index bigint, a_to_token bigint, a_delivered timestamptz) RETURNS void LANGUAGE sql AS $plain$ "
      "UPDATE @.spool SET position = a_to_index, token = a_to_token WHERE id = a_id $plain$");
  swallow_commits(database, 5, is_long() ? 30'000ms : 2000ms);
  CHECK(database.one(count_all) == "300|200");
}

TEST_CASE("a COMMIT that comes late and the next attempt at once: one of the two is stored") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  for (int i = 0; i < 40; ++i) {
    Host host{database.options(), i, 20};
    host.proxy.plan(Proxy::Fault::delay_commit, 1, std::chrono::milliseconds{i});
    host.run();
    const auto deadline = Clock::now() + 5s;
    while (host.proxy.delivered() < 1 && Clock::now() < deadline) std::this_thread::sleep_for(1ms);
    CHECK(host.summary.complete);
  }
  CHECK(database.one(count_all) == "800|800");
}

TEST_CASE("a black hole between COPY and COMMIT hinders nobody, and rows flow again soon after it") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  Host host{database.options(), 1, 200};
  host.options.connect_timeout = host.options.statement_timeout = 1500ms;
  host.proxy.plan(Proxy::Fault::black_hole, 1);
  std::jthread thread{[&] { host.run(); }};
  const auto begun = Clock::now();
  while (host.proxy.met() < 1 && Clock::now() - begun < 5s) std::this_thread::sleep_for(5ms);
  // The server waits for the COMMIT, which nobody will send, and nobody holds the lock.
  CHECK(database.one("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' "
                     "AND position($q$@.event$q$ IN query) > 0") == "1");
  CHECK(database.rows("SELECT position FROM @.spool FOR UPDATE NOWAIT").size() == 1);
  std::this_thread::sleep_for(2s);
  host.proxy.black_hole(false);
  const auto back = Clock::now();
  thread.join();
  CHECK(Clock::now() - back < 2s);
  CHECK(host.summary.complete);
  CHECK(database.one(count_all) == "200|200");
}
