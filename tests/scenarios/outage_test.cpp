// The database goes away and comes back.
#include <doctest/doctest.h>

#include <thread>

#include "daemon.h"
#include "load.h"
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

}  // namespace

TEST_CASE("outage: ten seconds without a database lose nothing") {
  if (!settings().connection) return skip("rows are read from a file here; there is no server to stop");
  Server server;
  Daemon daemon{{"", server.connection()}};
  const std::int64_t since = now_us();
  server.stop();
  const auto stopped = std::chrono::steady_clock::now();
  // 2,000 events spread over the outage.
  const Generated generated = generate({"events=2000", "per-second=250"});
  std::this_thread::sleep_until(stopped + seconds{10});
  server.start();
  // Rows flow again, so that this event of now arrives in time; wait_for_rows throws otherwise.
  wait_for_rows(daemon.rows(), seconds{2});
  CHECK(daemon.rows().of_session(generated.sid, since, now_us()) == generated.events);
  CHECK(lost_since(daemon.rows(), since).count == 0);
  const Ended ended = daemon.stop();
  CHECK(ended.status == 0);
  CAPTURE(ended.err);
  CHECK(ended.err.find("connect") != std::string::npos);  // the log says that the connection was lost
}

TEST_CASE("outage: without a database at the end the daemon says what is lost") {
  if (!settings().connection) return skip("rows are read from a file here; there is no server to stop");
  Server server;
  Daemon daemon{{"", server.connection()}};
  wait_for_rows(daemon.rows());
  server.stop();
  const Generated generated = generate({"events=200"});
  const auto asked = std::chrono::steady_clock::now();
  const Ended ended = daemon.stop(SIGTERM, seconds{30});
  CAPTURE(ended.err);
  CHECK(std::chrono::steady_clock::now() - asked < seconds{20});
  CHECK(ended.status == 1);
  CHECK(ended.err.find("not stored") != std::string::npos);
}

}  // namespace iptrackd::scenario
