#include "deed.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <system_error>

#include "compare.h"
#include "core/fd.h"
#include "shared_daemon.h"

namespace iptrackd::scenario {
namespace {

// Connects a UDP socket to nobody and closes it; returns the local port, which tells this event from the
// others.
int leave_a_mark() {
  const Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  name.sin_port = htons(9);
  auto *const address = reinterpret_cast<sockaddr *>(&name);
  socklen_t size = sizeof(name);
  if (!socket || connect(socket.get(), address, size) != 0 ||
      getsockname(socket.get(), address, &size) != 0) {
    throw std::system_error{errno, std::generic_category(), "leave a mark"};
  }
  return ntohs(name.sin_port);
}

}  // namespace

std::int64_t now_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

Path oracle_path() {
  return settings().programs / "oracle";
}

Launch oracle(const Words &words) {
  Launch launch;
  launch.arguments = words;
  launch.arguments.insert(launch.arguments.begin(), oracle_path().string());
  return launch;
}

Facts facts_of(Launch launch) {
  if (launch.program.empty()) launch.program = oracle_path();
  const Ended ended = run(launch);
  if (ended.status != 0)
    throw std::runtime_error{"the oracle failed (" + std::to_string(ended.status) + "): " + ended.err};
  return Json::parse(ended.out).at("events").get<Facts>();
}

bool can_set_loginuid() {
  Launch launch;
  launch.arguments = {"/bin/sh", "-c", "echo 12345 > /proc/self/loginuid"};
  return run(launch).status == 0;
}

void wait_for_rows(Rows &rows, Milliseconds timeout) {
  const std::int64_t since = now_us();
  const int port = leave_a_mark();
  const bool arrived = eventually(timeout, [&] {
    const auto own = rows.of_processes({getpid()}, since);
    return std::any_of(own.begin(), own.end(), [&](const Json &row) { return row.at("local_port") == port; });
  });
  if (!arrived) throw std::runtime_error{"no row of this program's own event came"};
}

void check_facts(Rows &rows, const Facts &facts, std::int64_t since) {
  std::set<int> pids;
  for (const Json &expected : facts) pids.insert(expected.at("pid").get<int>());
  wait_for_rows(rows);
  const auto found = rows.of_processes(pids, since);
  for (const std::string &difference : differences(facts, found)) FAIL_CHECK(difference);
  // So that the case is one that checked something, also where all is well.
  CHECK(found.size() == facts.size());
}

void check_deed(const Launch &launch, const Adjust &adjust) {
  Rows &rows = shared_rows();
  const std::int64_t since = now_us();
  Facts facts = facts_of(launch);
  if (adjust) std::for_each(facts.begin(), facts.end(), adjust);
  check_facts(rows, facts, since);
}

void check_deed(const Words &words, const Adjust &adjust) {
  check_deed(oracle(words), adjust);
}

}  // namespace iptrackd::scenario
