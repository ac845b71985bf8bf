// The lists are replaced under load: every event is judged by the old or by the new one.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "core/fd.h"
#include "load.h"
#include "whitelist.h"

namespace iptrackd::scenario {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint16_t ruled_port = 47001;
constexpr std::uint16_t other_port = 47002;

std::chrono::seconds duration() {
  const char *value = std::getenv("IPTRACKD_TEST_LOAD_SECONDS");
  return std::chrono::seconds{value != nullptr ? std::atoll(value) : 3};
}

void connect_udp(std::uint16_t port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  name.sin_port = htons(port);
  const Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (connect(socket.get(), reinterpret_cast<const sockaddr *>(&name), sizeof(name)) != 0)
    throw std::runtime_error{"cannot connect"};
}

// Two lists that both drop what goes to the ruled port, each by a rule in another place: who asks half of the
// one and half of the other finds no rule.
std::array<Json, 2> lists_for(const std::string &program) {
  const std::string port = "|p<" + std::to_string(ruled_port) + ">";
  return {Json{{"verb", "replace"}, {"network", {program + "|p<47003>", program + port}}},
          Json{{"verb", "replace"}, {"network", {"*|p<47003>", "*|u<4294967290>", "*" + port}}}};
}

// A hundred times a second, until STOP. Returns how often.
std::int64_t replace_until(const Whitelist &whitelist, const std::array<Json, 2> &lists,
                           const std::stop_token &stop) {
  std::int64_t done = 0;
  for (auto next = Clock::now(); !stop.stop_requested(); next += std::chrono::milliseconds{10}) {
    std::this_thread::sleep_until(next);
    whitelist.ask(lists.at(static_cast<std::size_t>(++done) % 2));
  }
  return done;
}

}  // namespace

TEST_CASE("whitelist: replaced a hundred times a second it is never half in force") {
  Daemon &daemon = whitelist_daemon();
  const Whitelist whitelist{daemon};
  const auto lists = lists_for(std::filesystem::read_symlink("/proc/self/exe").string());
  whitelist.ask(lists[0]);
  const auto before = counters(daemon, "connect").at("whitelisted").get<std::int64_t>();
  const std::int64_t since = now_us();
  std::atomic<std::int64_t> replaced{0};
  std::jthread replacing{
      [&](const std::stop_token &stop) { replaced = replace_until(whitelist, lists, stop); }};
  std::int64_t ruled = 0, others = 0;
  for (const auto end = Clock::now() + duration(); Clock::now() < end; ++ruled) {
    connect_udp(ruled_port);
    if (ruled % 100 == 0) {
      connect_udp(other_port);
      ++others;
    }
  }
  replacing.request_stop();
  replacing.join();
  wait_for_rows(daemon.rows());
  std::map<std::int64_t, std::int64_t> rows;  // by remote port
  for (const Json &row : daemon.rows().of_processes({getpid()}, since))
    ++rows[row.at("remote_port").get<std::int64_t>()];
  MESSAGE(replaced.load(), " replacements in ", duration().count(), " s, ", ruled,
          " events that both lists drop, ", others, " that none does");
  CHECK(replaced > 10);
  CHECK(rows[ruled_port] == 0);
  CHECK(rows[other_port] == 2 * others);  // connect and close
  CHECK(counters(daemon, "connect").at("whitelisted").get<std::int64_t>() - before == ruled);
  CHECK(lost_since(daemon.rows(), since).count == 0);
}

}  // namespace iptrackd::scenario
