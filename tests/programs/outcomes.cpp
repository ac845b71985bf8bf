#include "outcomes.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
namespace iptrackd::oracle {
namespace {

constexpr timeval soon{0, 50'000};

// A listener that takes no further connection until its first one is accepted: the SYN of the next is
// dropped, and sent again after a second.
struct FullQueue {
  Socket server, first;

  FullQueue(Family family, Report &report) : server{family, Proto::tcp}, first{family, Proto::tcp} {
    server.bind(report, loopback(family, 0));
    server.listen(0);
    first.connect(report, target(family));
  }
  [[nodiscard]] Name target(Family family) const { return loopback(family, port_of(server.local())); }
  void make_room(Report &report) {
    if (!has_room) server.accept(report)->close(report);
    has_room = true;
  }
  void close(Report &report) {
    make_room(report);
    first.close(report);
    server.close(report);
  }

  bool has_room = false;
};

// SIGALRM comes once, soon; FLAGS says whether the call that it interrupts goes on.
void interrupt_soon(int flags) {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = flags;
  const itimerval once{{}, soon};
  if (sigaction(SIGALRM, &action, nullptr) != 0 || setitimer(ITIMER_REAL, &once, nullptr) != 0)
    die("setitimer");
}

void expect(int result, int wanted) {
  errno = -result;
  if (result != wanted) die("connect did not end as planned");
}

void time_out(const Options &options, Socket &client, const FullQueue &queue, Report &report) {
  const int retries = 1;
  if (setsockopt(client.fd(), IPPROTO_TCP, TCP_SYNCNT, &retries, sizeof(retries)) != 0) die("TCP_SYNCNT");
  if (options.is("bound", "yes")) client.bind(report, loopback(options.family(), 0));
  expect(client.connect(report, queue.target(options.family()),
                        options.is("how", "poll") ? Patience::poll : Patience::blocking),
         -ETIMEDOUT);
}

void restart(const Options &options, Socket &client, FullQueue &queue, Report &report) {
  interrupt_soon(SA_RESTART);
  // While this process is in its call another one makes room.
  Child other{[&](Report &to) {
    usleep(3 * soon.tv_usec);
    queue.make_room(to);
  }};
  queue.has_room = true;
  expect(client.connect(report, queue.target(options.family())), 0);
  other.wait(report);
}

// connect(2) is left before the attempt is over; then it is waited for, or given up.
void leave_early(const Options &options, Socket &client, FullQueue &queue, Report &report) {
  const std::string outcome = options.text("outcome", "");
  if (outcome == "send-timeout") {
    if (setsockopt(client.fd(), SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)) != 0) die("SO_SNDTIMEO");
  } else {
    interrupt_soon(0);
  }
  expect(client.ask_to_connect(queue.target(options.family())),
         outcome == "send-timeout" ? -EINPROGRESS : -EINTR);
  if (outcome == "interrupted-closed") return client.abandon_connect(report);
  queue.make_room(report);
  expect(client.finish_connect(report, Patience::poll), 0);
}

}  // namespace

bool connect_to_full_queue(const Options &options, Report &report) {
  const std::string outcome = options.text("outcome", "");
  const bool early = outcome == "interrupted" || outcome == "interrupted-closed" || outcome == "send-timeout";
  if (!early && outcome != "timed-out" && outcome != "restarted") return false;
  FullQueue queue{options.family(), report};
  Socket client{options.family(), Proto::tcp};
  if (early) {
    leave_early(options, client, queue, report);
  } else if (outcome == "restarted") {
    restart(options, client, queue, report);
  } else {
    time_out(options, client, queue, report);
  }
  const bool is_connected = outcome != "timed-out" && outcome != "interrupted-closed";
  if (is_connected) {
    auto connection = queue.server.accept(report);
    connection->close(report);
  }
  if (outcome != "interrupted-closed") client.close(report);
  queue.close(report);
  return true;
}

}  // namespace iptrackd::oracle
