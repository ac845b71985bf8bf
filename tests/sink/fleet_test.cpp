// Several servers: a standby that takes over under load, one that only reads, one that never answers.
#include <doctest/doctest.h>

#include <chrono>
#include <map>
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
using test::FakeSource;
using test::Service;

namespace {

using Clock = std::chrono::steady_clock;

// A copy of CLUSTER that follows it.
class Standby {
 public:
  explicit Standby(const std::map<std::string, std::string> &primary)
      : port_{std::to_string(test::free_port())} {
    const std::string from =
        " -h " + primary.at("host") + " -p " + primary.at("port") + " -U " + primary.at("user");
    const bool copied = service_.run(bin() + "/pg_basebackup -c fast -R -X stream -D " + data() + from);
    REQUIRE(copied);
    const bool started =
        service_.run(bin() + "/pg_ctl start -w -t 60 -s -D " + data() + " -l " + service_.directory() +
                     "/server.log -o '-p " + port_ + " -k " + service_.directory() + "'");
    REQUIRE(started);
  }
  ~Standby() { (void)service_.run(bin() + "/pg_ctl stop -s -m immediate -w -D " + data()); }
  Standby(const Standby &) = delete;
  Standby &operator=(const Standby &) = delete;

  [[nodiscard]] bool promote() const {
    return service_.run(bin() + "/pg_ctl promote -w -t 60 -s -D " + data());
  }
  [[nodiscard]] const std::string &host() const { return service_.directory(); }
  [[nodiscard]] const std::string &port() const { return port_; }

 private:
  [[nodiscard]] std::string data() const { return service_.directory() + "/data"; }
  static std::string bin() { return "$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)"; }

  Service service_;
  std::string port_;
};

}  // namespace

TEST_CASE("a standby is promoted under load: nothing that was stored is lost, nothing is there twice") {
  const Cluster cluster;
  Database database{cluster.connection_env()};
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  auto options = database.options();
  const Standby standby{options.connection};
  database.rows("ALTER SYSTEM SET synchronous_standby_names = '*'");
  database.rows("SELECT pg_reload_conf()");
  options.connection["host"] += "," + standby.host();
  options.connection["port"] += "," + standby.port();

  FakeSource source{test::sample_origin};
  PostgresqlSink sink{options, {}};
  Writer writer{source, sink, test::sample_origin, test::small_batches(10, 5ms), {}, {}};
  Writer::Summary summary;
  std::jthread writing{[&] { summary = writer.run({}); }};
  std::uint64_t added = 0;
  const auto load = [&](std::chrono::milliseconds duration) {
    const auto until = Clock::now() + duration;
    while (Clock::now() < until) {
      source.add(test::exec_event(++added, test::now_unix_us()));
      std::this_thread::sleep_for(1ms);
    }
  };
  load(1500ms);
  const std::uint64_t before = writer.counters().rows;
  cluster.kill();
  std::jthread promotion{[&] { CHECK(standby.promote()); }};
  load(1500ms);
  promotion.join();
  load(500ms);
  source.end();
  writing.join();

  CHECK(before > 100);
  CHECK(summary.complete);
  database.reconnect(standby.host(), standby.port());
  CHECK(database.one("SELECT count(*), count(DISTINCT seq) FROM @.event") ==
        std::to_string(added) + "|" + std::to_string(added));
  CHECK(database.one("SELECT count(*) FROM @.host_event") == "0");
}

TEST_CASE("of two servers the one that takes rows is found, also behind one that never answers") {
  const Cluster cluster;
  Database database{cluster.connection_env()};
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  auto options = database.options();
  const Standby standby{options.connection};
  options.connection["host"] = standby.host() + "," + options.connection["host"];
  options.connection["port"] = standby.port() + "," + options.connection["port"];
  PostgresqlSink sink{options, {}};
  CHECK(test::store(sink, {test::bare_event(1)}).has_value());

  const Fd silent = test::silent_listener();
  auto hung = database.options();
  hung.connect_timeout = 500ms;
  hung.connection["host"] = "127.0.0.1," + hung.connection["host"];
  hung.connection["port"] = std::to_string(test::port_of(silent)) + "," + hung.connection["port"];
  PostgresqlSink other{hung, {}};
  const auto before = Clock::now();
  CHECK(test::store(other, {test::bare_event(2)}).has_value());
  CHECK(Clock::now() - before < 5s);
  CHECK(database.one("SELECT count(*) FROM @.event") == "2");
}
