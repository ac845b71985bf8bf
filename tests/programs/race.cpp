// Calls whose arguments another thread rewrites all the time, so that what the kernel copies is not what
// anybody else has read before or will read afterwards. What it copied is learnt from its result: from the
// connected socket, or by the program that was executed.
//
// Every second time the arguments' pages are not mapped when the call begins. The kernel waits for them,
// which is what userfaultfd(2) is abused for; a program that must not wait can read nothing there, on a
// single processor too.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>

#include "deeds.h"

namespace iptrackd::oracle {
namespace {

// Calls REWRITE with true and false by turns until it goes out of scope.
class Rewriter {
 public:
  explicit Rewriter(std::function<void(bool)> rewrite)
      : thread_{[rewrite = std::move(rewrite)](const std::stop_token &stop) {
          for (bool turn = false; !stop.stop_requested(); turn = !turn) rewrite(turn);
        }} {}

 private:
  std::jthread thread_;
};

template <typename Value>
void store(Value &place, Value value) {
  std::atomic_ref<Value>{place}.store(value, std::memory_order_relaxed);
}

// One CONTENT, which children that are forked share.
template <typename Content>
class SharedMemory {
 public:
  SharedMemory() {
    void *const memory =
        mmap(nullptr, sizeof(Content), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) die("mmap");
    content_.reset(new (memory) Content{});
  }
  [[nodiscard]] Content *operator->() const { return content_.get(); }
  [[nodiscard]] Content &operator*() const { return *content_; }
  // Takes the pages out of this process's tables, and leaves what they hold.
  void leave_pages() const {
    if (madvise(content_.get(), sizeof(Content), MADV_DONTNEED) != 0) die("madvise");
  }
  void touch_pages() const {
    for (std::size_t at = 0; at < sizeof(Content); at += 4096) touch(at);
    touch(sizeof(Content) - 1);
  }

 private:
  struct Unmap {
    void operator()(Content *content) const { munmap(content, sizeof(Content)); }
  };
  void touch(std::size_t at) const { (void)*(reinterpret_cast<const volatile char *>(content_.get()) + at); }

  std::unique_ptr<Content, Unmap> content_;
};

// On every address, so that each mixture of two addresses and two ports finds a listener.
Socket listen_anywhere(Report &report) {
  Socket listener{Family::ipv4, Proto::tcp};
  listener.bind(report, name_of(Family::ipv4, "0.0.0.0", 0));
  listener.listen();
  return listener;
}

// The columns that a rewritten address could make wrong.
Json connect_row(const Fd &client) {
  Name own, peer;
  own.size = peer.size = sizeof(own.bytes);
  if (getsockname(client.get(), own.address(), &own.size) != 0 ||
      getpeername(client.get(), peer.address(), &peer.size) != 0) {
    die("the names of a connected socket");
  }
  return {{"kind", "connect"},
          {"pid", host_pid()},
          {"result", 0},
          {"local_addr", address_of(own)},
          {"local_port", port_or_null(own)},
          {"remote_addr", address_of(peer)},
          {"remote_port", port_or_null(peer)}};
}

void race_connect(std::uint64_t times, Report &report) {
  Report unseen;
  const std::array<Socket, 2> listeners{listen_anywhere(unseen), listen_anywhere(unseen)};
  const std::array<in_port_t, 2> ports{htons(port_of(listeners[0].local())),
                                       htons(port_of(listeners[1].local()))};
  const SharedMemory<sockaddr_in> target;
  target->sin_family = AF_INET;
  target->sin_port = ports[0];
  target->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const Rewriter rewriter{[&](bool turn) {
    store(target->sin_port, ports.at(turn ? 1 : 0));
    store(target->sin_addr.s_addr, htonl(INADDR_LOOPBACK + (turn ? 1 : 0)));
  }};
  for (std::uint64_t time = 0; time < times; ++time) {
    const Fd client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!client) die("socket");
    if (time % 2 == 1) target.leave_pages();
    if (::connect(client.get(), reinterpret_cast<const sockaddr *>(&*target), sizeof(*target)) != 0)
      die("connect");
    Json row = connect_row(client);
    const bool first = row.at("remote_port") == ntohs(ports[0]);
    const Fd accepted{accept4(listeners.at(first ? 0 : 1).fd(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (!accepted) die("accept");
    report.add(std::move(row));
  }
}

// Two copies of this program that differ by one letter of their path.
class Copies {
 public:
  Copies() {
    std::string name = (std::filesystem::temp_directory_path() / "iptrackd-race.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) die("mkdtemp");
    directory_ = name;
    for (const char *copy : {"a", "b"}) {
      std::filesystem::create_directory(directory_ / copy);
      std::filesystem::copy_file(own_path(), directory_ / copy / "oracle");
    }
  }
  ~Copies() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Copies(const Copies &) = delete;
  Copies &operator=(const Copies &) = delete;
  [[nodiscard]] std::string path(const char *copy) const { return directory_ / copy / "oracle"; }

 private:
  std::filesystem::path directory_;
};

// What the children pass to execve(2) while their parent writes it.
struct Arguments {
  std::array<char, PATH_MAX> name;
  std::array<char, 2000> argument;
};

void race_exec(std::uint64_t times, Report &report) {
  const Copies copies;
  const SharedMemory<Arguments> shared;
  const std::string name = copies.path("a");
  name.copy(shared->name.data(), name.size());
  const std::size_t letter = name.size() - std::string{"a/oracle"}.size();
  shared->argument.fill('a');
  shared->argument.back() = '\0';
  std::array<char *, 4> arguments{const_cast<char *>("raced"), const_cast<char *>("self"),
                                  shared->argument.data(), nullptr};
  const Rewriter rewriter{[&](bool turn) {
    store(shared->name.at(letter), turn ? 'b' : 'a');
    std::memset(shared->argument.data(), turn ? 'b' : 'a', shared->argument.size() - 1);
  }};
  for (std::uint64_t time = 0; time < times; ++time) {
    Child::becoming([&] {
      // After a fork they are not mapped yet.
      if (time % 2 == 0) shared.touch_pages();
      execv(shared->name.data(), arguments.data());
    }).wait(report);
  }
}

}  // namespace

void race_deed(const Options &options, Report &report) {
  const std::uint64_t times = options.number("times", 1000);
  if (options.is("what", "exec")) return race_exec(times, report);
  race_connect(times, report);
}

}  // namespace iptrackd::oracle
