#include "loader/self_test_deeds.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <thread>
#include <utility>

#include "loader/kernel_mounts.h"
#include "loader/surroundings.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

namespace iptrackd::loader {
namespace {

// The child runs in a copy of a process with many threads: it makes system calls and takes no locks.

bool enter_namespace_of_init(const char *file, int type) {
  const Fd name_space{open(file, O_RDONLY | O_CLOEXEC)};
  return name_space && setns(name_space.get(), type) == 0;
}

bool enter_root_group() {
  const auto root = open_kernel_file_system("cgroup2");
  if (!root) return false;
  const Fd processes{openat(root->get(), "cgroup.procs", O_WRONLY | O_CLOEXEC)};
  return processes && write(processes.get(), "0", 1) == 1;
}

// The network namespace is no obstacle where it cannot be left: no hook depends on it.
bool go_outside() {
  (void)enter_namespace_of_init("/proc/1/ns/net", CLONE_NEWNET);
  (void)enter_namespace_of_init("/proc/1/ns/cgroup", CLONE_NEWCGROUP);
  return in_initial_cgroup_namespace() && enter_root_group();
}

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] sockaddr *get() noexcept { return reinterpret_cast<sockaddr *>(&storage); }
};

Address loopback(int family) {
  Address address;
  if (family == AF_INET) {
    auto &v4 = reinterpret_cast<sockaddr_in &>(address.storage);
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.size = sizeof(v4);
  } else {
    auto &v6 = reinterpret_cast<sockaddr_in6 &>(address.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = IN6ADDR_LOOPBACK_INIT;
    address.size = sizeof(v6);
  }
  return address;
}

// Bound to a free port; ADDRESS becomes what it is bound to.
Fd bound_socket(int family, int type, int protocol, Address &address) {
  Fd socket{::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)};
  address = loopback(family);
  if (!socket || bind(socket.get(), address.get(), address.size) != 0) return {};
  if (getsockname(socket.get(), address.get(), &address.size) != 0) return {};
  return socket;
}

bool udp_deed(int family) {
  Address address;
  const Fd socket = bound_socket(family, SOCK_DGRAM, 0, address);
  return socket && connect(socket.get(), address.get(), address.size) == 0;
}

// The connection is there at once on a loopback interface, unless a packet filter swallows it.
Fd connected_socket(int family, Address &address) {
  Fd socket{::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket) return {};
  (void)connect(socket.get(), address.get(), address.size);
  pollfd answer{socket.get(), POLLOUT, 0};
  if (poll(&answer, 1, 1000) != 1 || (answer.revents & POLLERR) != 0) return {};
  return socket;
}

bool tcp_deed(int family) {
  Address address;
  const Fd listener = bound_socket(family, SOCK_STREAM, 0, address);
  if (!listener || listen(listener.get(), 2) != 0) return false;
  const Fd first_client = connected_socket(family, address);
  const Fd first{accept(listener.get(), nullptr, nullptr)};
  const Fd second_client = connected_socket(family, address);
  const Fd second{accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  return first_client && first && second_client && second;
}

bool mptcp_deed() {
  Address address;
  return static_cast<bool>(bound_socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP, address));
}

bool process_deeds() {
  std::array<char *, 1> nothing{nullptr};
  constexpr const char *no_program = "/nonexistent/iptrackd-self-test";
  (void)execve(no_program, nothing.data(), nothing.data());
  (void)execveat(AT_FDCWD, no_program, nothing.data(), nothing.data(), 0);
  const pid_t child = fork();
  if (child == 0) _exit(0);
  return child > 0 && waitpid(child, nullptr, 0) == child;
}

// The last deed: this process becomes `iptrackd --version`, unseen.
[[noreturn]] void become_another_program() {
  const int nowhere = open("/dev/null", O_RDWR);
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(nowhere, descriptor);
  std::array<char, 9> name{"iptrackd"};
  std::array<char, 10> option{"--version"};
  std::array<char *, 3> arguments{name.data(), option.data(), nullptr};
  std::array<char *, 1> environment{nullptr};
  execve("/proc/self/exe", arguments.data(), environment.data());
  _exit(1);
}

[[noreturn]] void perform_deeds(int from_parent, int to_parent, const DeedOptions &options) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  char go = 0;
  if (read(from_parent, &go, 1) != 1) _exit(0);
  Performed performed;
  std::uint32_t &done = performed.deeds;
  if (!options.outside || go_outside()) done |= Deeds::outside;
  // Before what is known by kind alone: when that has come out of the ring, these have too.
  performed.ports = perform_ways(options.hidden_ways);
  if (performed.ports != WayPorts{}) done |= Deeds::io_uring;
  if (udp_deed(AF_INET) && tcp_deed(AF_INET)) done |= Deeds::ipv4;
  if (udp_deed(AF_INET6) && tcp_deed(AF_INET6)) done |= Deeds::ipv6;
  if (mptcp_deed()) done |= Deeds::mptcp;
  if (process_deeds()) done |= Deeds::processes;
  if (write(to_parent, &performed, sizeof(performed)) != sizeof(performed)) _exit(1);
  become_another_program();
}

}  // namespace

SelfTestProcess::SelfTestProcess(pid_t pid, Fd to_child, Fd from_child) noexcept
    : pid_{pid}, to_child_{std::move(to_child)}, from_child_{std::move(from_child)} {}

SelfTestProcess::SelfTestProcess(SelfTestProcess &&other) noexcept
    : pid_{std::exchange(other.pid_, -1)},
      to_child_{std::move(other.to_child_)},
      from_child_{std::move(other.from_child_)} {}

SelfTestProcess::~SelfTestProcess() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

Result<SelfTestProcess> SelfTestProcess::start(const DeedOptions &options) {
  std::array<int, 2> down{};
  std::array<int, 2> up{};
  if (pipe2(down.data(), O_CLOEXEC) != 0) return fail_errno("cannot prepare the self-test");
  Fd from_parent{down[0]};
  Fd to_child{down[1]};
  if (pipe2(up.data(), O_CLOEXEC) != 0) return fail_errno("cannot prepare the self-test");
  Fd from_child{up[0]};
  Fd to_parent{up[1]};
  const pid_t pid = fork();
  if (pid < 0) return fail_errno("cannot start the self-test's process");
  if (pid == 0) {
    to_child.reset();
    perform_deeds(from_parent.get(), to_parent.get(), options);
  }
  return SelfTestProcess{pid, std::move(to_child), std::move(from_child)};
}

Result<Performed> SelfTestProcess::perform(std::chrono::milliseconds timeout, const std::stop_token &stop) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  if (write(to_child_.get(), "g", 1) != 1) return fail_errno("the self-test's process is gone");
  // It ends when it is done, having written what it did; the pipe holds that.
  while (waitpid(pid_, nullptr, WNOHANG) != pid_) {
    if (stop.stop_requested()) return fail(Fault::cancelled, "the self-test was interrupted");
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(Fault::environment, "the self-test's process does not end");
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  pid_ = -1;
  Performed performed;
  if (read(from_child_.get(), &performed, sizeof(performed)) != sizeof(performed)) {
    return fail(Fault::environment, "the self-test's process does not perform its deeds");
  }
  return performed;
}

}  // namespace iptrackd::loader
