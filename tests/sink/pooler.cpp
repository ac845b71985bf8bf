// A fleet behind a pooler. A program of its own, so that a machine without pgbouncer can say so.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

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
using test::Database;
using test::FakeSource;
using test::Service;

namespace {

constexpr int skipped = 77;

// pgbouncer in front of a server, each transaction on any of ten connections.
struct Bouncer {
  explicit Bouncer(const std::map<std::string, std::string> &server) : connection{server} {
    const std::uint16_t number = test::free_port();
    const std::string port = std::to_string(number);
    service.write("pgbouncer.ini", "[databases]\n" + server.at("dbname") + " = host=" + server.at("host") +
                                       " port=" + server.at("port") + " user=" + server.at("user") +
                                       "\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = " + port +
                                       "\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n"
                                       "default_pool_size = 10\nmax_client_conn = 300\nlogfile = " +
                                       service.directory() + "/pgbouncer.log\n");
    service.start({program, "-q", service.directory() + "/pgbouncer.ini"});
    test::await_listener(number);
    connection["host"] = "127.0.0.1";
    connection["port"] = port;
  }
  static constexpr const char *program = "/usr/sbin/pgbouncer";
  Service service;
  std::map<std::string, std::string> connection;
};

}  // namespace

TEST_CASE(
    "100 writers through pgbouncer in transaction mode with ten connections: nothing twice, nothing lost") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  const Bouncer bouncer{database.options().connection};
  auto options = database.options();
  options.connection = bouncer.connection;
  // A daemon of another test may be connected to the same server.
  options.connection["application_name"] = "iptrackd-pooler";
  constexpr const char *sessions =
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'iptrackd-pooler'";
  constexpr int writers = 100;
  constexpr int events = 50;
  std::atomic<int> complete{0};
  std::atomic<std::uint64_t> errors{0};
  int most_sessions = 0;
  const auto write = [&](int number) {
    const Origin origin{"node-" + std::to_string(number), test::random_uuid()};
    FakeSource source{origin};
    for (int seq = 1; seq <= events; ++seq) {
      source.add(test::exec_event(static_cast<std::uint64_t>(seq), test::now_unix_us()));
    }
    source.end();
    PostgresqlSink sink{options, {}};
    Writer writer{source, sink, origin, test::small_batches(10, 5ms), {}, {}};
    if (writer.run({}).complete) ++complete;
    errors += writer.counters().errors;
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < writers; ++i) threads.emplace_back(write, i);
    while (complete < writers / 2) {
      most_sessions = std::max(most_sessions, std::stoi(database.one(sessions)));
    }
  }
  CHECK(complete == writers);
  CHECK(most_sessions <= 10);
  CHECK(database.one("SELECT count(*), count(DISTINCT (boot, seq)) FROM @.event") == "5000|5000");
  CHECK(database.one("SELECT count(*) FROM @.hosts") == "100");
  CHECK(database.one("SELECT count(DISTINCT boot) FROM @.event") == "100");
  CHECK(errors <= writers);  // of a pgbouncer that is still starting
  // Nothing of a transaction's settings is left in the server's sessions.
  CHECK(std::stoi(database.one(sessions)) <= 10);
}

int main(int argc, char **argv) {
  if (access(Bouncer::program, X_OK) != 0) {
    std::cout << "skipped: " << Bouncer::program << " is missing; the package pgbouncer has it\n";
    return skipped;
  }
  return doctest::Context{argc, argv}.run();
}
