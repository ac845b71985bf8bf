// The database goes away and comes back.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "daemon.h"
#include "load.h"
#include "sink/proxy.h"
#include "skip.h"

namespace iptrackd::scenario {
namespace {

using std::chrono::seconds;

// A database server of this test's own: stopping the others' would be noticed.
class Server {
 public:
  Server() { script("start"); }
  ~Server() { (void)run(launch("remove")); }
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;

  void stop() { script("stop"); }
  void start() { script("start"); }
  [[nodiscard]] Connection connection() const {
    return read_connection(directory_.path() / "connection.env");
  }

 private:
  [[nodiscard]] Launch launch(const std::string &verb) const {
    Launch launch;
    launch.arguments = {(settings().scripts / "postgres.sh").string(), verb, directory_.path().string()};
    return launch;
  }
  void script(const std::string &verb) {
    const Ended ended = run(launch(verb));
    if (ended.status != 0) throw std::runtime_error{"postgres.sh " + verb + ": " + ended.err};
  }
  TemporaryDirectory directory_;
};

constexpr std::int64_t most_kib = 65'536;  // of the daemon's own memory

// The form that takes minutes is for a run by hand: IPTRACKD_TEST_OUTAGE_SECONDS=300.
seconds length_of_outage() {
  const char *length = std::getenv("IPTRACKD_TEST_OUTAGE_SECONDS");
  return seconds{length != nullptr ? std::atoi(length) : 8};
}

// RssAnon of the process, in KiB.
std::int64_t own_memory(pid_t pid) {
  std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string name; status >> name;) {
    std::int64_t value = 0;
    if (name == "RssAnon:" && status >> value) return value;
  }
  throw std::runtime_error{"no RssAnon of process " + std::to_string(pid)};
}

Generated generate_for(seconds length) {
  return generate({"events=" + std::to_string(lasting_rate * length.count()),
                   "per-second=" + std::to_string(lasting_rate)},
                  length + std::chrono::minutes{1});
}

}  // namespace

TEST_CASE("outage: while the server is down nothing is lost and little memory used") {
  if (!settings().connection) return skip("rows are read from a file here; there is no server to stop");
  Server server;
  Daemon daemon{{"", server.connection()}};
  const std::int64_t since = now_us();
  server.stop();
  const Generated generated = generate_for(length_of_outage());
  CHECK(own_memory(daemon.process().pid()) <= most_kib);
  server.start();
  // Rows flow again, so that this event of now arrives in time; wait_for_rows throws otherwise.
  wait_for_rows(daemon.rows(), seconds{2} + length_of_outage() / 10);
  check_stored_once(daemon.rows(), generated, since);
  const Ended ended = daemon.stop();
  CHECK(ended.status == 0);
  CAPTURE(ended.err);
  CHECK(ended.err.find("connect") != std::string::npos);  // the log says that the connection was lost
}

TEST_CASE("outage: a network that swallows everything holds nothing up") {
  if (!settings().connection) return skip("rows are read from a file here; there is no server to stop");
  Server server;
  test::Proxy proxy{server.connection()};
  // The schema is applied through it, too.
  Daemon daemon{{"bpf: {keep-on-exit: true}\n", proxy.connection()}};
  const std::int64_t since = now_us();
  proxy.black_hole(true);
  const Generated generated = generate_for(length_of_outage());
  CHECK(own_memory(daemon.process().pid()) <= most_kib);
  const auto asked = std::chrono::steady_clock::now();
  CHECK(daemon.stop().status == 0);
  CHECK(std::chrono::steady_clock::now() - asked < seconds{15});
  proxy.black_hole(false);
  daemon.start_again_and_wait();
  wait_for_rows(daemon.rows(), seconds{20});
  check_stored_once(daemon.rows(), generated, since);
  CHECK(daemon.stop().status == 0);
}

TEST_CASE("outage: what a daemon without a database leaves the next one stores") {
  if (!settings().connection) return skip("rows are read from a file here; there is no server to stop");
  Server server;
  Daemon daemon{{"bpf: {keep-on-exit: true}\n", server.connection()}};
  wait_for_rows(daemon.rows());
  const std::int64_t since = now_us();
  server.stop();
  const Generated first = generate_for(seconds{1});
  const auto asked = std::chrono::steady_clock::now();
  const Ended ended = daemon.stop();
  CHECK(ended.status == 0);
  CHECK(std::chrono::steady_clock::now() - asked < seconds{5});
  CAPTURE(ended.err);
  CHECK(ended.err.find("wait in the spool") != std::string::npos);
  const Generated second = generate_for(seconds{1});  // without a daemon
  daemon.start_again_and_wait();                      // and it starts without a database
  const Generated third = generate_for(seconds{1});
  daemon.kill();
  server.start();
  daemon.start_again_and_wait();
  wait_for_rows(daemon.rows(), seconds{10});
  for (const Generated &generated : {first, second, third})
    check_stored_once(daemon.rows(), generated, since);
  CHECK(daemon.stop().status == 0);
}

}  // namespace iptrackd::scenario
