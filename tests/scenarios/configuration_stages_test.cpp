// What the keys of the configuration do to the stages between kernel and database: rings, pool, spool,
// batches.
#include <doctest/doctest.h>

#include <algorithm>
#include <regex>
#include <thread>

#include "daemon.h"
#include "load.h"
#include "skip.h"
#include "slow_disk.h"

namespace iptrackd::scenario {
namespace {

using std::chrono::seconds;

// So that a batch is written because of another bound, or not at all before the daemon ends.
const std::string no_linger = "linger-ms: 60000";

// Waits until so many events are in the spool.
bool spooled(const Daemon &daemon, std::int64_t events) {
  return eventually(seconds{20}, [&] { return daemon.status().at("spool").at("appended") >= events; });
}

std::int64_t stored(const Daemon &daemon) {
  return daemon.status().at("sink").at("rows");
}

std::int64_t batches(const Daemon &daemon) {
  return daemon.status().at("sink").at("batches");
}

// Of events for which the ring had no room, while the daemon did not run for a moment.
std::int64_t lost_with_ring(const std::string &size) {
  Daemon daemon{{"ring-buffer: {size: " + size + "}\n"}};
  wait_for_rows(daemon.rows());
  daemon.process().signal(SIGSTOP);
  const Generated generated = generate({"events=3000"});
  daemon.process().signal(SIGCONT);
  std::int64_t lost = 0;
  const Json kernel = daemon.status().at("kernel");
  for (const auto &[kind, count] : generated.events) lost += kernel.at(kind).at("lost").value("ring-full", 0);
  return lost;
}

// How many batches a load of two seconds comes in, where each is written as soon as it is read.
std::int64_t batches_with_interval(const std::string &milliseconds) {
  Daemon daemon{
      {"ring-buffer: {drain-interval-ms: " + milliseconds + "}\ndatabase: {batch: {linger-ms: 1}}\n"}};
  wait_for_rows(daemon.rows());
  const std::int64_t before = batches(daemon);
  (void)generate({"events=2000", "per-second=1000"});
  wait_for_rows(daemon.rows());
  return batches(daemon) - before;
}

// Records of the pool after a load, which always takes more than a few at once.
std::int64_t records_after_load(const std::string &records) {
  Daemon daemon{{"log-pool: {records: " + records + "}\n"}};
  const std::int64_t since = now_us();
  const Generated generated = generate({"events=2000"});
  wait_for_rows(daemon.rows());
  check_stored_once(daemon.rows(), generated, since);
  return daemon.status().at("pool").at("allocated");
}

std::vector<int> complaints_in(const std::string &log) {
  const std::regex complaint{R"(no free record in the pool for (\d+) s)"};
  std::vector<int> waits;
  for (std::sregex_iterator found{log.begin(), log.end(), complaint}, end; found != end; ++found)
    waits.push_back(std::stoi((*found)[1]));
  return waits;
}

// Of a spool that is filled while the database lets nobody in.
Json spool_after_load(const std::string &options) {
  Daemon daemon{{"spool: {" + options + "}\n"}};
  wait_for_rows(daemon.rows());
  const std::string database = daemon.prepared().connection->at("dbname");
  execute(*settings().connection, "ALTER DATABASE " + database + " ALLOW_CONNECTIONS false");
  execute(*settings().connection,
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + database + "'");
  const Generated generated = generate({"events=12000"});
  Json spool;
  const bool through = eventually(seconds{30}, [&] {
    spool = daemon.status().at("spool");
    return spool.at("appended").get<std::int64_t>() + spool.at("dropped").get<std::int64_t>() >=
           generated.total;
  });
  CHECK(through);
  return spool;
}

std::uint64_t bytes_of_segments(const Path &spool) {
  std::uint64_t bytes = 0;
  for (const auto &file : std::filesystem::directory_iterator{spool}) bytes += file.file_size();
  return bytes;
}

// Bytes of the spool when all that was in it is stored.
std::uint64_t bytes_left(const std::string &retain) {
  Daemon daemon{{"spool: {max-size: 8MiB, retain: " + retain + "}\n"}};
  (void)generate({"events=12000"});
  wait_for_rows(daemon.rows(), seconds{60});
  // A segment goes when another one is begun, or the next events come.
  wait_for_rows(daemon.rows());
  return bytes_of_segments(daemon.directory() / "spool");
}

int syncs_with_interval(const std::string &milliseconds) {
  Daemon daemon{
      {"spool: {sync-interval-ms: " + milliseconds + "}\ndatabase: {batch: {" + no_linger + "}}\n"}};
  const SlowDisk disk{daemon};
  const Generated generated = generate({"events=510", "per-second=255"});
  CHECK(spooled(daemon, generated.total));
  return disk.syncs();
}

}  // namespace

TEST_CASE("configuration: ring-buffer.size is what is kept while nobody reads") {
  CHECK(lost_with_ring("128KiB") > 0);
  CHECK(lost_with_ring("16MiB") == 0);
}

TEST_CASE("configuration: ring-buffer.drain-interval-ms is how often events are taken up") {
  const std::int64_t often = batches_with_interval("1");
  const std::int64_t seldom = batches_with_interval("1000");
  CAPTURE(often);
  CAPTURE(seldom);
  CHECK(often > 2 * seldom);
}

TEST_CASE("configuration: log-pool.records bound what is allocated") {
  CHECK(records_after_load("{min: 7, max: 40}") == 40);
  CHECK(records_after_load("{min: 6000, delta: 6000}") == 6000);
  const std::int64_t grown = records_after_load("{min: 1, delta: 7}");
  CHECK(grown > 7);
  CHECK(grown % 7 == 0);
}

TEST_CASE("configuration: log-pool.push-wait-seconds are the waits for a record") {
  if (!SlowDisk::is_possible()) return skip("there is no strace to hold the spool up");
  Daemon daemon{
      {"log-pool: {records: {max: 32}, push-wait-seconds: {min: 1, max: 3, delta: 1, grow-threshold: 2}}\n"
       "spool: {sync-interval-ms: 0}\n"}};
  {
    const SlowDisk disk{daemon, seconds{60}};
    const Ended load = run(generator({"events=500"}));
    REQUIRE(load.status == 0);
    // Two waits of a second, then one longer each, but no longer than three.
    const std::vector<int> expected{1, 2, 4, 7, 10};
    CHECK(eventually(seconds{40}, [&] { return complaints_in(daemon.said()).size() >= expected.size(); }));
    std::vector<int> found = complaints_in(daemon.said());
    found.resize(std::min(found.size(), expected.size()));
    CHECK(Json(found) == Json(expected));
  }
  wait_for_rows(daemon.rows());
}

TEST_CASE("configuration: spool.max-size bounds the spool and what no longer fits is lost") {
  if (!settings().connection) return skip("rows are read from a file here; there is no server to shut");
  const Json small = spool_after_load("max-size: 1MiB");
  CHECK(small.at("bytes") <= 1 << 20);
  CHECK(small.at("dropped") > 0);
  const Json large = spool_after_load("max-size: 64MiB");
  CHECK(large.at("bytes") > 1 << 20);
  CHECK(large.at("dropped") == 0);
}

TEST_CASE("configuration: spool.retain keeps what is stored already") {
  const std::uint64_t kept = bytes_left("1h");
  const std::uint64_t rest = bytes_left("0s");
  CHECK(kept > 2U << 20);
  CHECK(rest < 2U << 20);
}

TEST_CASE("configuration: spool.sync-interval-ms is how long records wait for the disk") {
  if (!SlowDisk::is_possible()) return skip("there is no strace to count calls with");
  CHECK(syncs_with_interval("60000") == 0);
  CHECK(syncs_with_interval("0") > 5);
}

TEST_CASE("configuration: database.batch.linger-ms is how long a batch waits for more") {
  Daemon daemon{{"database: {batch: {" + no_linger + "}}\n"}};
  const std::int64_t since = now_us();
  const Generated generated = generate({"events=1000"});
  REQUIRE(spooled(daemon, generated.total));
  // By default it waits a fifth of that.
  std::this_thread::sleep_for(seconds{1});
  CHECK(stored(daemon) == 0);
  CHECK(daemon.stop().status == 0);
  check_stored_once(daemon.rows(), generated, since);
}

TEST_CASE("configuration: database.batch.rows are at most in a batch") {
  Daemon daemon{{"database: {batch: {rows: 50, " + no_linger + "}}\n"}};
  const Generated generated = generate({"events=1000"});
  CHECK(eventually(seconds{20}, [&] { return stored(daemon) >= generated.total - 50; }));
  const Json sink = daemon.status().at("sink");
  CHECK(sink.at("rows").get<std::int64_t>() <= 50 * sink.at("batches").get<std::int64_t>());
}

TEST_CASE("configuration: database.batch.bytes are at most in a batch") {
  Daemon daemon{{"database: {batch: {bytes: 64KiB, " + no_linger + "}}\n"}};
  const Generated generated = generate({"events=1000"});
  REQUIRE(spooled(daemon, generated.total));
  // Less than a batch may be left.
  const auto all_but_one = [&] {
    return daemon.status().at("spool").at("bytes") <= (batches(daemon) + 1) * (64 << 10);
  };
  CHECK(eventually(seconds{20}, all_but_one));
  CHECK(batches(daemon) >= 2);
}

}  // namespace iptrackd::scenario
