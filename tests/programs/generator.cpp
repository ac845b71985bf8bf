// generator [events=N] [per-second=N] [workers=N]: causes about N events of mixed kinds, as fast as it can or
// at the given rate, and prints as one line of JSON how many rows of each kind they must leave. All of them
// carry the session id that it prints and that no other process has.
//
// A round of a worker is 51 events: 8 x TCP (connect, accept, 2 closes), 6 x UDP (connect, close), 3 x bind
// and close, 1 x exec. Each worker's listener adds one bind and one close. What kills the generator ends its
// workers too.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "core/fd.h"
#include "options.h"

namespace {

using namespace iptrackd;
using namespace iptrackd::oracle;

constexpr std::uint64_t tcp_per_round = 8, udp_per_round = 6, binds_per_round = 3;
constexpr std::uint64_t events_per_round = tcp_per_round * 4 + udp_per_round * 2 + binds_per_round * 2 + 1;

sockaddr_in loopback_port(std::uint16_t port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  name.sin_port = htons(port);
  return name;
}

Fd open_socket(int type) {
  Fd socket{::socket(AF_INET, type | SOCK_CLOEXEC, 0)};
  if (!socket) die("socket");
  return socket;
}

void bind_to(const Fd &socket, std::uint16_t port) {
  const sockaddr_in name = loopback_port(port);
  if (bind(socket.get(), reinterpret_cast<const sockaddr *>(&name), sizeof(name)) != 0) die("bind");
}

void connect_to(const Fd &socket, std::uint16_t port) {
  const sockaddr_in name = loopback_port(port);
  if (connect(socket.get(), reinterpret_cast<const sockaddr *>(&name), sizeof(name)) != 0) die("connect");
}

std::uint16_t port_of(const Fd &socket) {
  sockaddr_in name{};
  socklen_t size = sizeof(name);
  if (getsockname(socket.get(), reinterpret_cast<sockaddr *>(&name), &size) != 0) die("getsockname");
  return ntohs(name.sin_port);
}

void start_program(const std::string &program) {
  char *arguments[] = {const_cast<char *>(program.c_str()), nullptr};
  char *environment[] = {nullptr};
  pid_t pid = 0;
  errno = posix_spawn(&pid, program.c_str(), nullptr, nullptr, arguments, environment);
  if (errno != 0) die("posix_spawn " + program);
  int status = 0;
  if (waitpid(pid, &status, 0) != pid || status != 0) die("a started program failed");
}

void one_round(const Fd &listener, std::uint16_t port, const std::string &program) {
  for (std::uint64_t cycle = 0; cycle < tcp_per_round; ++cycle) {
    const Fd client = open_socket(SOCK_STREAM);
    connect_to(client, port);
    const Fd accepted{accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (!accepted) die("accept");
  }
  for (std::uint64_t cycle = 0; cycle < udp_per_round; ++cycle) connect_to(open_socket(SOCK_DGRAM), port);
  for (std::uint64_t cycle = 0; cycle < binds_per_round; ++cycle) bind_to(open_socket(SOCK_DGRAM), 0);
  start_program(program);
}

// PERIOD_US is the time that a round should take; 0: as fast as possible.
void work(std::uint64_t rounds, std::int64_t period_us, const std::string &program) {
  const Fd listener = open_socket(SOCK_STREAM);
  bind_to(listener, 0);
  if (listen(listener.get(), 128) != 0) die("listen");
  const std::uint16_t port = port_of(listener);
  const std::int64_t began_ns = now().steady_ns;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    one_round(listener, port, program);
    const std::int64_t ahead_us =
        static_cast<std::int64_t>(round + 1) * period_us - (now().steady_ns - began_ns) / 1000;
    if (ahead_us > 0) usleep(static_cast<useconds_t>(ahead_us));
  }
}

// A fork that ends with its parent, however that ends.
pid_t fork_bound() {
  const pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  return pid;
}

pid_t start_worker(std::uint64_t rounds, std::int64_t period_us, const std::string &program) {
  if (const pid_t pid = fork_bound(); pid > 0) return pid;
  work(rounds, period_us, program);
  _exit(0);
}

Json counts_of(std::uint64_t rounds, std::uint64_t workers) {
  const std::uint64_t connects = rounds * (tcp_per_round + udp_per_round);
  const std::uint64_t accepts = rounds * tcp_per_round;
  const std::uint64_t binds = rounds * binds_per_round + workers;
  return {{"exec", rounds},
          {"connect", connects},
          {"accept", accepts},
          {"bind", binds},
          {"close", connects + accepts + binds}};
}

// The leader of a new session; its workers are the only others in it.
Json generate(const Options &options, const std::string &program) {
  if (setsid() < 0) die("setsid");
  const std::uint64_t workers = options.number("workers", std::max(1U, std::thread::hardware_concurrency()));
  const std::uint64_t per_worker = options.number("events", 100'000) / events_per_round / workers + 1;
  const std::uint64_t per_second = options.number("per-second", 0);
  const std::int64_t period_us =
      per_second == 0 ? 0 : static_cast<std::int64_t>(1'000'000 * events_per_round * workers / per_second);
  Span span{now(), {}};
  std::vector<pid_t> pids;
  for (std::uint64_t worker = 0; worker < workers; ++worker) {
    pids.push_back(start_worker(per_worker, period_us, program));
  }
  for (const pid_t pid : pids) {
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || status != 0) die("a worker failed");
  }
  span.to = now();
  const double seconds = static_cast<double>(span.to.steady_ns - span.from.steady_ns) / 1e9;
  const Json counts = counts_of(per_worker * workers, workers);
  std::uint64_t total = 0;
  for (const auto &count : counts) total += count.get<std::uint64_t>();
  return {{"sid", host_pid()},
          {"events", counts},
          {"total", total},
          {"from", span.from.unix_us},
          {"to", span.to.unix_us},
          {"seconds", seconds},
          {"per_second", static_cast<double>(total) / seconds}};
}

}  // namespace

int main(int count, char **arguments) {
  try {
    const Options options{std::span{arguments, static_cast<std::size_t>(count)}.subspan(1)};
    const std::string program = std::filesystem::path{own_path()}.replace_filename("noop");
    // setsid is refused to the leader of a process group, which a shell's child is.
    const pid_t leader = fork_bound();
    if (leader == 0) {
      std::puts(generate(options, program).dump().c_str());
      return 0;
    }
    int status = 0;
    return waitpid(leader, &status, 0) == leader && status == 0 ? 0 : 1;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "generator: %s\n", error.what());
    return 1;
  }
}
