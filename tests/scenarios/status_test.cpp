// What a daemon says of itself: `iptrackd status`, and its rows in iptrackd.hosts and iptrackd.host_event.
#include <doctest/doctest.h>

#include "daemon.h"
#include "load.h"
#include "skip.h"

namespace iptrackd::scenario {
namespace {

Launch status_launch(const Daemon &daemon, const std::vector<std::string> &options) {
  Launch launch = daemon_launch("status", daemon.prepared().configuration);
  launch.arguments.insert(launch.arguments.end(), options.begin(), options.end());
  return launch;
}

}  // namespace

TEST_CASE("status: the books of a running daemon balance") {
  Daemon daemon;
  const Generated generated = generate({"events=2000"});
  wait_for_rows(daemon.rows());
  const Ended ended = run(status_launch(daemon, {"--json"}));
  REQUIRE(ended.status == 0);
  const Json status = Json::parse(ended.out);
  std::int64_t handed_over = 0;
  for (const auto &[kind, count] : generated.events) {
    CAPTURE(kind);
    const Json &counted = status.at("kernel").at(kind);
    CHECK(counted.at("lost").empty());
    CHECK(counted.at("seen") == counted.at("handed_over"));
    CHECK(counted.at("seen").get<std::int64_t>() >= count);
    handed_over += counted.at("handed_over").get<std::int64_t>();
  }
  // The daemon's own deeds, by which it tests itself, are handed over and go no further.
  CHECK(status.at("spool").at("appended").get<std::int64_t>() <= handed_over + 10);
  CHECK(status.at("spool").at("appended").get<std::int64_t>() >= generated.total);
  CHECK(status.at("sink").at("rows").get<std::int64_t>() >= generated.total);
  CHECK(status.at("sink").at("failing") == false);
  const Ended table = run(status_launch(daemon, {}));
  CHECK(table.status == 0);
  CHECK(table.out.find("HANDED OVER") != std::string::npos);
  CHECK(daemon.stop().status == 0);
  const Ended nobody = run(status_launch(daemon, {}));
  CHECK(nobody.status == 1);
  CHECK(nobody.err.find("no daemon listens") != std::string::npos);
}

TEST_CASE("status: the database knows how the host is and what befell the daemon") {
  if (!settings().connection) return skip("rows are read from a file here");
  Daemon daemon;
  wait_for_rows(daemon.rows());
  const auto &connection = *daemon.prepared().connection;
  CHECK(eventually(std::chrono::seconds{10}, [&] {
    return execute(connection,
                   "SELECT count(*) FROM iptrackd.hosts WHERE hooks ->> 'exec_done' = "
                   "'tp_btf/sched_process_exec' AND lost = 0 AND lag < '10s' AND clock IS NOT NULL") == "1";
  }));
  daemon.process().signal(SIGHUP);
  CHECK(eventually(std::chrono::seconds{10}, [&] {
    return execute(connection, "SELECT count(*) FROM iptrackd.host_event WHERE kind = 'reload'") == "1";
  }));
  CHECK(daemon.stop().status == 0);
  CHECK(execute(connection, "SELECT string_agg(kind, ' ' ORDER BY ts) FROM iptrackd.host_event") ==
        "start reload stop");
  CHECK(execute(connection,
                "SELECT detail ~ '^SIGTERM from process [0-9]+ of user 0$' FROM iptrackd.host_event "
                "WHERE kind = 'stop'") == "t");
}

TEST_CASE("status: what is left in the kernel can be taken out") {
  Daemon daemon{{"bpf: {keep-on-exit: true}\n"}};
  if (!has_pins(daemon.prepared())) return skip("there is no bpf file system to keep the programs in");
  Launch detach = daemon_launch("probes", daemon.prepared().configuration);
  detach.arguments.emplace_back("--detach");
  const Ended refused = run(detach);
  CHECK(refused.status == 1);
  CHECK(refused.err.find("another daemon uses the pin directory") != std::string::npos);
  CHECK(daemon.stop().status == 0);
  CHECK(has_pins(daemon.prepared()));
  CHECK(run(detach).status == 0);
  CHECK_FALSE(has_pins(daemon.prepared()));
  CHECK(run(detach).out.find("nothing to take out") != std::string::npos);
}

}  // namespace iptrackd::scenario
