// connect-latency SOCKET SECONDS: how long connect() takes while the whitelist of the daemon that listens at
// SOCKET is replaced a hundred times a second, and while it is not. Prints a table for people.
//
//   second    0        1      2        3      4   ...
//   list      at rest  replaced  at rest  replaced
//
// Both lists drop what this program does, by a rule in another place: what is measured is the look-up that a
// replacement could disturb, and neither the making of an event nor the room in the rings.
//
// A replacement also takes processor time, as any work of any process: a connect() that is preempted for it
// takes as long as that does. Hence a second look at those that were not preempted.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "control/server.h"
#include "core/fd.h"

namespace {

using namespace iptrackd;
using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC
using Nanoseconds = std::vector<std::uint32_t>;
using Requests = std::array<std::string, 2>;

constexpr std::uint16_t port = 47001;
constexpr std::chrono::seconds window{1};
constexpr std::chrono::milliseconds between_replacements{10};
constexpr unsigned fewest_seconds = 4, most_seconds = 600;

void fail_errno_if(bool failed, const char *what) {
  if (failed) throw std::system_error{errno, std::generic_category(), what};
}

struct Latencies {
  Nanoseconds all;
  Nanoseconds not_preempted;

  void add(const Latencies &others) {
    all.insert(all.end(), others.all.begin(), others.all.end());
    not_preempted.insert(not_preempted.end(), others.not_preempted.begin(), others.not_preempted.end());
  }
};

// How often this thread was; a wait of its own, for a lock say, does not count.
long times_preempted() {
  rusage usage{};
  fail_errno_if(getrusage(RUSAGE_THREAD, &usage) != 0, "getrusage");
  return usage.ru_nivcsw;
}

// Until END: how long each connect() took.
void connect_until(Clock::time_point end, Latencies &latencies) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  name.sin_port = htons(port);
  for (auto after = Clock::now(); after < end;) {
    const Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    fail_errno_if(!socket, "socket");
    const long preempted = times_preempted();
    const auto before = Clock::now();
    const int result = connect(socket.get(), reinterpret_cast<const sockaddr *>(&name), sizeof(name));
    after = Clock::now();
    fail_errno_if(result != 0, "connect");
    const std::chrono::nanoseconds took = after - before;
    const auto latency = static_cast<std::uint32_t>(std::min<std::int64_t>(took.count(), UINT32_MAX));
    latencies.all.push_back(latency);
    if (times_preempted() == preempted) latencies.not_preempted.push_back(latency);
  }
}

Requests replacements() {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string ruled = "|p<" + std::to_string(port) + ">";
  const auto request = [](std::vector<std::string> rules) {
    return "whitelist " + Json{{"verb", "replace"}, {"network", std::move(rules)}}.dump();
  };
  return {request({program + "|p<47003>", program + ruled}),
          request({"*|p<47003>", "*|u<4294967290>", "*" + ruled})};
}

// Replaces the list from a thread of its own as long as it lives.
class Replacer {
 public:
  Replacer(const std::string &socket, const Requests &requests)
      : thread_{[this, &socket, &requests](const std::stop_token &stop) { run(socket, requests, stop); }} {}

  // Ends it; returns how often it has replaced the list.
  std::uint64_t finish() {
    thread_.request_stop();
    thread_.join();
    if (error_) throw std::runtime_error{"the daemon does not replace its list: " + error_->message()};
    return done_;
  }

 private:
  void run(const std::string &socket, const Requests &requests, const std::stop_token &stop) {
    for (auto next = Clock::now(); !stop.stop_requested(); next += between_replacements) {
      std::this_thread::sleep_until(next);
      const auto answer = control::ask(socket, requests.at(done_ % requests.size()));
      if (!answer) {
        error_ = answer.error();
        return;
      }
      ++done_;
    }
  }

  std::uint64_t done_ = 0;
  std::optional<Error> error_;
  std::jthread thread_;  // last, as it uses the others
};

struct Measured {
  std::array<Latencies, 2> at_rest;  // in turn: how far two equal things differ in this run
  Latencies replaced;
  std::uint64_t replacements = 0;
  unsigned replaced_windows = 0;
};

Measured measure(const std::string &socket, unsigned seconds) {
  const Requests requests = replacements();
  const auto first = control::ask(socket, requests[0]);
  if (!first) throw std::runtime_error{"the daemon does not take the list: " + first.error().message()};
  Measured measured;
  for (unsigned second = 0; second < seconds; ++second) {
    if (second % 2 == 0) {
      connect_until(Clock::now() + window, measured.at_rest.at(second / 2 % 2));
    } else {
      Replacer replacer{socket, requests};
      connect_until(Clock::now() + window, measured.replaced);
      measured.replacements += replacer.finish();
      ++measured.replaced_windows;
    }
  }
  return measured;
}

// In us. LATENCIES is not empty; its order changes.
double percentile(Nanoseconds &latencies, double share) {
  const auto rank = std::ceil(share * static_cast<double>(latencies.size())) - 1;
  const auto at = latencies.begin() + static_cast<std::ptrdiff_t>(std::max(rank, 0.0));
  std::nth_element(latencies.begin(), at, latencies.end());
  return *at / 1000.0;
}

double print_row(const char *what, Nanoseconds &latencies) {
  const double tail = percentile(latencies, 0.999);
  std::printf("%-30s %9.2f %9.2f %9.2f %10zu\n", what, percentile(latencies, 0.5),
              percentile(latencies, 0.99), tail, latencies.size());
  return tail;
}

void print(Measured &measured) {
  auto &[one_half, other_half] = measured.at_rest;
  Latencies at_rest = one_half;
  at_rest.add(other_half);
  const double noise = percentile(other_half.all, 0.999) / percentile(one_half.all, 0.999);
  std::printf("%-30s %9s %9s %9s %10s\n", "UDP connect, us", "p50", "p99", "p99.9", "connects");
  const double control = print_row("list at rest", at_rest.all);
  const double replaced = print_row("list replaced", measured.replaced.all);
  const double calm_control = print_row("list at rest, not preempted", at_rest.not_preempted);
  const double calm_replaced = print_row("list replaced, not preempted", measured.replaced.not_preempted);
  std::printf("replacements: %ju in %u s\n", static_cast<std::uintmax_t>(measured.replacements),
              measured.replaced_windows);
  std::printf("ratio of p99.9: %.2f; not preempted: %.2f; of the two halves of the time at rest: %.2f\n",
              replaced / control, calm_replaced / calm_control, noise);
}

std::optional<unsigned> seconds_in(std::string_view text) {
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool is_number = error == std::errc{} && end == text.data() + text.size();
  if (!is_number || seconds < fewest_seconds || seconds > most_seconds) return {};
  return seconds;
}

}  // namespace

int main(int count, char **words) {
  const std::span<char *const> arguments{words, static_cast<std::size_t>(count)};
  const auto seconds = arguments.size() == 3 ? seconds_in(arguments[2]) : std::nullopt;
  if (!seconds) {
    std::fprintf(stderr, "usage: connect-latency SOCKET SECONDS (%u to %u)\n", fewest_seconds, most_seconds);
    return 2;
  }
  try {
    Measured measured = measure(arguments[1], *seconds);
    print(measured);
    return 0;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "connect-latency: %s\n", error.what());
    return 1;
  }
}
