// A daemon takes over what another has left: the same programs, or others in their place.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "daemon.h"
#include "load.h"
#include "skip.h"

namespace iptrackd::scenario {
namespace {

using std::chrono::seconds;

constexpr const char *kept = "bpf: {keep-on-exit: true}\n";

void reconfigure(const Daemon &daemon, const std::string &drop_in) {
  write_file(Path{daemon.prepared().configuration.string() + ".d"} / "50-scenario.yml", kept + drop_in);
}

// The daemon is stopped in order and started with DROP_IN while a load is under way. Nothing is missed,
// nothing is seen by both.
void check_takeover(const std::string &drop_in, const std::string &words) {
  Daemon daemon{{kept}};
  if (!has_pins(daemon.prepared())) return skip("there is no bpf file system to keep the programs in");
  const std::int64_t since = now_us();
  Process load{generator({"events=8000", "per-second=" + std::to_string(lasting_rate)})};
  std::this_thread::sleep_for(seconds{1});
  CHECK(daemon.stop().status == 0);
  CHECK(has_pins(daemon.prepared()));
  reconfigure(daemon, drop_in);
  daemon.start_again_and_wait();
  REQUIRE(load.wait(seconds{60}) == 0);
  wait_for_rows(daemon.rows(), seconds{20});
  check_stored_once(daemon.rows(), generated_by(load.out()), since);
  CHECK(daemon.rows().disorder(since) == 0);
  if (daemon.prepared().connection) {
    const std::string detail =
        execute(*daemon.prepared().connection,
                "SELECT detail FROM iptrackd.host_event WHERE kind = 'takeover' ORDER BY ts DESC LIMIT 1");
    CAPTURE(detail);
    CHECK(detail.find(words) != std::string::npos);
  }
  CHECK(daemon.stop().status == 0);
}

}  // namespace

TEST_CASE("takeover: the same programs go on") {
  check_takeover("", "the hooks had gone on without a daemon");
}

TEST_CASE("takeover: other programs take their place without gap or overlap") {
  check_takeover("probes: {args-max-bytes: 5000}\n", "other programs");
}

TEST_CASE("takeover: what the new configuration leaves out is blind, and nothing else is") {
  if (!settings().connection) return skip("rows are read from a file here");
  Daemon daemon{{kept}};
  if (!has_pins(daemon.prepared())) return skip("there is no bpf file system to keep the programs in");
  wait_for_rows(daemon.rows());
  CHECK(daemon.stop().status == 0);
  reconfigure(daemon, "probes: {udp-bind: false}\n");
  daemon.start_again_and_wait();
  wait_for_rows(daemon.rows());
  CHECK(daemon.stop().status == 0);
  const auto verdicts = [&](const std::string &kind) {
    return execute(
        *daemon.prepared().connection,
        "SELECT string_agg(c.verdict || coalesce(' ' || c.detail, ''), ', ' ORDER BY c.from_ts) FROM "
        "(SELECT min(host) AS host, min(ts) AS from_ts, max(ts) AS to_ts FROM iptrackd.host_event) AS e,"
        " iptrackd.coverage(e.host, e.from_ts, e.to_ts) AS c WHERE c.kind = '" +
            kind + "'");
  };
  CHECK(verdicts("bind") == "covered, blind the configuration left out udp-bind");
  CHECK(verdicts("connect") == "covered");
}

TEST_CASE("takeover: rings of another size; the old ones are emptied") {
  check_takeover("ring-buffer: {size: 4MiB}\n", "other programs");
}

TEST_CASE("takeover: an upgrade under load beside a daemon that stays as it is") {
  const char *older = std::getenv("IPTRACKD_TEST_OLDER_DAEMON");
  if (older == nullptr) return skip("IPTRACKD_TEST_OLDER_DAEMON names no daemon of an earlier version");
  if (!settings().connection) return skip("rows are read from a file here; two daemons cannot share it");
  DaemonOptions options{std::string{kept} + "host-name: upgraded\n"};
  options.adjust = [older](Launch &launch) { launch.program = older; };
  Daemon upgraded{options};
  options.drop_in = std::string{kept} + "host-name: older\n";
  options.connection = upgraded.prepared().connection;
  Daemon stays{options};
  Process load{generator({"events=8000", "per-second=" + std::to_string(lasting_rate)})};
  std::this_thread::sleep_for(seconds{1});
  CHECK(upgraded.stop().status == 0);
  upgraded.use([](Launch &launch) { launch.program.clear(); });
  upgraded.start_again_and_wait();
  REQUIRE(load.wait(seconds{60}) == 0);
  const Generated generated = generated_by(load.out());
  std::this_thread::sleep_for(seconds{2});
  CHECK(upgraded.stop().status == 0);
  CHECK(stays.stop().status == 0);
  for (const char *host : {"upgraded", "older"}) {
    CAPTURE(host);
    CHECK(execute(*upgraded.prepared().connection,
                  "SELECT concat(count(*), ',', count(DISTINCT (boot_id, seq))) FROM iptrackd.activity "
                  "WHERE sid = " +
                      std::to_string(generated.sid) + " AND host = '" + host + "'") ==
          std::to_string(generated.total) + "," + std::to_string(generated.total));
  }
}

TEST_CASE("takeover: a daemon that is killed while it takes over hands on") {
  Daemon daemon{{kept}};
  if (!has_pins(daemon.prepared())) return skip("there is no bpf file system to keep the programs in");
  const std::int64_t since = now_us();
  Process load{generator({"events=12000", "per-second=" + std::to_string(lasting_rate)})};
  // Other programs each time, so that each start loads, attaches and switches.
  for (int round = 0; round < 5; ++round) {
    daemon.kill();
    reconfigure(daemon, "probes: {args-max-bytes: " + std::to_string(1000 + round) + "}\n");
    daemon.start_again();
    std::this_thread::sleep_for(Milliseconds{700 + 450 * round});
  }
  REQUIRE(load.wait(seconds{60}) == 0);
  wait_for_rows(daemon.rows(), seconds{20});
  check_stored_once(daemon.rows(), generated_by(load.out()), since);
  CHECK(daemon.stop().status == 0);
}

TEST_CASE("takeover: programs that run while the hooks are attached use nothing up") {
  // Between attaching and being put in force the programs are called and must leave everything as it is.
  const TemporaryDirectory directory;
  const Prepared prepared = prepare(directory.path(), {});
  apply_schema(prepared);
  Launch busy;
  busy.arguments = {"/bin/sh", "-c", "while :; do " + (settings().programs / "noop").string() + "; done"};
  Process first{busy};
  Process second{busy};
  Process daemon{daemon_launch("run", prepared.configuration)};
  REQUIRE(eventually(seconds{30}, [&] { return daemon.err().find("ready") != std::string::npos; }));
  first.signal(SIGKILL);
  second.signal(SIGKILL);
  const auto rows = open_rows(prepared.connection, prepared.jsonl);
  const std::int64_t since = now_us();
  const Generated generated = generate({"events=3000"});
  wait_for_rows(*rows, seconds{20});
  check_stored_once(*rows, generated, since);
  daemon.signal(SIGTERM);
  CHECK(daemon.wait(seconds{20}) == 0);
}

TEST_CASE("takeover: a second daemon on the same pins is refused") {
  Daemon first;
  if (!has_pins(first.prepared())) return skip("there is no bpf file system to keep the programs in");
  const TemporaryDirectory directory;
  const Prepared prepared =
      prepare(directory.path(), {"bpf: {pin-directory: " + first.prepared().pins.string() + "}\n"});
  apply_schema(prepared);
  const Ended ended = run(daemon_launch("run", prepared.configuration), seconds{30});
  CHECK(ended.status == 1);
  CHECK(ended.err.find("another daemon uses the pin directory") != std::string::npos);
  wait_for_rows(first.rows());
}

TEST_CASE("takeover: without a bpf file system it works and says what is missing") {
  const TemporaryDirectory directory;
  const Prepared prepared =
      prepare(directory.path(), {"bpf: {pin-directory: " + (directory.path() / "pins").string() + "}\n"});
  apply_schema(prepared);
  Process daemon{daemon_launch("run", prepared.configuration)};
  REQUIRE(eventually(seconds{30}, [&] { return daemon.err().find("ready") != std::string::npos; }));
  CHECK(daemon.err().find("nothing will be recorded while the daemon restarts") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(directory.path() / "pins"));
  daemon.signal(SIGTERM);
  CHECK(daemon.wait(seconds{20}) == 0);
}

}  // namespace iptrackd::scenario
