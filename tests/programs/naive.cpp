// naive [ring=BYTES] [drain-ms=N]: the control of the evasion scenarios (naive.bpf.c). Prints "ready", then a
// line of JSON for each connect, bind, accept, accept4, close, execve and execveat on this host, until
// SIGTERM.
//
// Like many collectors it asks /proc who a process is when it gets to its event, and so adds to each execve
// and execveat `cmdline` and `comm`: null where the process is gone.
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>
#include <string>

#include "naive.skel.h"
#include "naive_call.h"
#include "options.h"

namespace {

using namespace iptrackd::oracle;

struct Destroy {
  void operator()(naive_bpf *skeleton) const { naive_bpf__destroy(skeleton); }
};
struct Free {
  void operator()(ring_buffer *ring) const { ring_buffer__free(ring); }
};
using Skeleton = std::unique_ptr<naive_bpf, Destroy>;
using Ring = std::unique_ptr<ring_buffer, Free>;

template <std::size_t size>
std::string text_of(const __u8 (&bytes)[size]) {
  const char *text = reinterpret_cast<const char *>(bytes);
  return {text, strnlen(text, size)};
}

// Up to the first NUL; null where there is nothing to read.
Json of_process(std::uint32_t pid, const char *file) {
  std::string text = slurp("/proc/" + std::to_string(pid) + "/" + file);
  if (text.ends_with('\n')) text.pop_back();
  return text.empty() ? Json(nullptr) : Json(shown(text));
}

void add_address(Json &line, const naive_call &call) {
  if (call.family != AF_INET && call.family != AF_INET6) return;
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(call.family, call.address, text.data(), text.size());
  line["address"] = text.data();
  line["port"] = ntohs(call.port);
}

void add_program(Json &line, const naive_call &call) {
  line["name"] = shown(text_of(call.name));
  line["argument"] = shown(text_of(call.argument));
  line["cmdline"] = of_process(call.pid, "cmdline");
  line["comm"] = of_process(call.pid, "comm");
}

// What is added to the monotonic clock to make it the wall clock.
std::int64_t offset_us() {
  const Moment moment = now();
  return moment.unix_us - moment.steady_ns / 1000;
}

int print_call(void * /*context*/, void *data, std::size_t /*size*/) {
  static const std::map<std::uint32_t, const char *> names{
      {SYS_connect, "connect"}, {SYS_bind, "bind"},     {SYS_accept, "accept"},    {SYS_accept4, "accept4"},
      {SYS_close, "close"},     {SYS_execve, "execve"}, {SYS_execveat, "execveat"}};
  const auto &call = *static_cast<const naive_call *>(data);
  Json line{{"ts", static_cast<std::int64_t>(call.monotonic_ns / 1000) + offset_us()},
            {"pid", call.pid},
            {"tid", call.tid},
            {"call", names.at(call.number)}};
  if (call.number == SYS_execve || call.number == SYS_execveat) {
    add_program(line, call);
  } else {
    line["fd"] = call.fd;
    add_address(line, call);
  }
  std::puts(line.dump().c_str());
  return 0;
}

void set_numbers(naive_bpf &skeleton) {
  auto &numbers = *skeleton.rodata;
  numbers.number_connect = SYS_connect;
  numbers.number_bind = SYS_bind;
  numbers.number_accept = SYS_accept;
  numbers.number_accept4 = SYS_accept4;
  numbers.number_close = SYS_close;
  numbers.number_execve = SYS_execve;
  numbers.number_execveat = SYS_execveat;
}

Skeleton attach(const Options &options) {
  Skeleton skeleton{naive_bpf__open()};
  if (!skeleton) die("open the BPF object");
  set_numbers(*skeleton);
  const auto bytes = static_cast<std::uint32_t>(options.number("ring", 4 << 20));
  if (bpf_map__set_max_entries(skeleton->maps.ring, bytes) != 0) die("size of the ring");
  if (naive_bpf__load(skeleton.get()) != 0) die("load the BPF program");
  if (naive_bpf__attach(skeleton.get()) != 0) die("attach the BPF program");
  return skeleton;
}

// Until SIGTERM, and once more after it.
void drain(ring_buffer *ring, std::uint64_t interval_ms) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  const timespec interval{static_cast<time_t>(interval_ms / 1000),
                          static_cast<long>(interval_ms % 1000) * 1'000'000};
  for (bool stopped = false; !stopped;) {
    stopped = sigtimedwait(&stop, nullptr, &interval) == SIGTERM;
    if (ring_buffer__consume(ring) < 0) die("read the ring");
    std::fflush(stdout);
  }
}

int trace(const Options &options) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  const Skeleton skeleton = attach(options);
  const Ring ring{ring_buffer__new(bpf_map__fd(skeleton->maps.ring), print_call, nullptr, nullptr)};
  if (!ring) die("map the ring");
  std::puts("ready");
  std::fflush(stdout);
  drain(ring.get(), options.number("drain-ms", 100));
  return 0;
}

}  // namespace

int main(int count, char **arguments) {
  try {
    return trace(Options{std::span{arguments, static_cast<std::size_t>(count)}.subspan(1)});
  } catch (const std::exception &error) {
    std::fprintf(stderr, "naive: %s\n", error.what());
    return 1;
  }
}
