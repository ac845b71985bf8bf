// Proxy: stands between the sink and PostgreSQL and fails as networks do. One thread; a server on a Unix
// socket or a TCP port behind it, a TCP port on 127.0.0.1 in front.
#ifndef IPTRACKD_TESTS_SINK_PROXY_H
#define IPTRACKD_TESTS_SINK_PROXY_H

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "core/fd.h"

namespace iptrackd::test {

class Proxy {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Fault : std::uint8_t {
    none,
    cut_after_commit,  // COMMIT reaches the server; both ways are cut before the answer passes
    delay_commit,      // the client is cut off; COMMIT reaches the server after DELAY
    black_hole,        // nothing passes any more, and nothing is closed
  };

  // SERVER: libpq's keywords of the server.
  explicit Proxy(const std::map<std::string, std::string> &server);
  ~Proxy();
  Proxy(const Proxy &) = delete;
  Proxy &operator=(const Proxy &) = delete;

  // SERVER's keywords, with the proxy as the host.
  [[nodiscard]] std::map<std::string, std::string> connection() const;
  // The next COUNT messages with a COMMIT meet FAULT.
  void plan(Fault fault, int count, std::chrono::milliseconds delay = {});
  // How often a fault was met, and how many delayed messages have been delivered and answered.
  [[nodiscard]] int met() const { return met_; }
  [[nodiscard]] int delivered() const { return delivered_; }
  // Nothing passes from now on; connections are accepted and left silent. And back.
  void black_hole(bool on) { hole_ = on; }

 private:
  struct Link {
    Fd client;
    Fd server;
    std::string held;  // what goes to the server at `due`
    Clock::time_point due = {};
    bool cut = false;   // the next answer of the server ends the link
    bool late = false;  // what was held is under way
  };
  void run(const std::stop_token &stop);
  void accept_one();
  // False when the link is at its end.
  [[nodiscard]] bool from_client(Link &link);
  [[nodiscard]] bool from_server(Link &link);
  [[nodiscard]] Fault take_plan();

  std::map<std::string, std::string> server_;
  Fd listener_;
  std::uint16_t port_ = 0;
  std::atomic<Fault> fault_{Fault::none};
  std::atomic<int> planned_{0};
  std::atomic<std::int64_t> delay_ms_{0};
  std::atomic<int> met_{0};
  std::atomic<int> delivered_{0};
  std::atomic<bool> hole_{false};
  std::list<Link> links_;
  std::jthread thread_;
};

}  // namespace iptrackd::test

#endif
