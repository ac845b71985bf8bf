#include "last_close.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "unix_pair.h"

namespace iptrackd::oracle {
namespace {

// How long the socket is in use before, and between a first close and the last one.
constexpr useconds_t use_us = 40'000;

struct Connection {
  Socket listener, client, peer;
  Span begun;  // of the use of all three

  void close_rest(Report &report) {
    peer.close(report);
    listener.close(report);
  }
};

Connection connected(Report &report) {
  const Moment from = now();
  Socket listener{Family::ipv4, Proto::tcp};
  listener.bind(report, loopback(Family::ipv4, 0));
  listener.listen();
  Socket client{Family::ipv4, Proto::tcp};
  client.connect(report, loopback(Family::ipv4, port_of(listener.local())));
  auto peer = listener.accept(report);
  Connection connection{std::move(listener), std::move(client), std::move(*peer), {from, now()}};
  usleep(use_us);
  return connection;
}

// What whoever closes the client's end needs to know for its row.
Json handed_over(const Connection &connection) {
  return {{"row", connection.client.close_row()}, {"begun", connection.begun}};
}

// The calling process is the one that closes.
Json closed(const Json &handed_over, const Span &ended) {
  Json row = handed_over.at("row");
  row.update(who());
  row["ts"] = ts_within(ended);
  row["duration"] = duration_between(handed_over.at("begun").get<Span>(), ended);
  return row;
}

// CLOSE is what makes the calling process close the client's descriptor for good.
template <typename Close>
void close_here(Report &report, Close close) {
  Connection connection = connected(report);
  const Json state = handed_over(connection);
  const Span ended = close(connection.client.release());
  report.add(closed(state, ended));
  connection.close_rest(report);
}

// A close that began at FROM is over. The number of a descriptor is soon used again: until it cannot be
// mistaken for the connection's any more, nothing is opened.
Span over(const Moment &from) {
  const Span span{from, now()};
  usleep(use_us);
  return span;
}

Span close_a_range(int fd) {
  const Moment from = now();
  if (close_range(static_cast<unsigned>(fd), static_cast<unsigned>(fd), 0) != 0) die("close_range");
  return over(from);
}

Span replace(int fd) {
  const Fd replaced{fd};
  const Fd other{open("/dev/null", O_RDWR | O_CLOEXEC)};
  const Moment from = now();
  if (dup2(other.get(), fd) < 0) die("dup2");
  return over(from);
}

Span close_copy(int fd) {
  Fd first{fd};
  Fd copy{fcntl(fd, F_DUPFD_CLOEXEC, 0)};
  first.reset();
  usleep(use_us);
  const Moment from = now();
  copy.reset();
  return over(from);
}

Span leave_unread(int fd) {
  UnixPair pair;
  pair.send("", {fd});
  ::close(fd);
  usleep(use_us);
  const Moment from = now();
  pair.close();
  return over(from);
}

Span leave_in_cycle(int fd) {
  UnixPair pair, other;
  // The receiver lies in its own queue, and the connection with it: nobody can get at them any more.
  pair.send("", {fd, pair.receiver()});
  ::close(fd);
  usleep(use_us);
  const Moment from = now();
  pair.close();
  // Only another Unix socket's end makes older kernels look for such things; newer ones have a thread for it.
  other.close();
  usleep(use_us);
  return over(from);
}

// The program that the child becomes reports the close. CLOEXEC: the kernel closes on the way to it.
void close_by_program(Report &report, bool cloexec) {
  Connection connection = connected(report);
  Json state = handed_over(connection);
  Fd fd{connection.client.release()};
  if (!cloexec && fcntl(fd.get(), F_SETFD, 0) != 0) die("F_SETFD");
  UnixPair parent_is_done;
  Child child = Child::becoming([&] {
    parent_is_done.wait_for_end();
    const std::string path = own_path();
    if (!cloexec) state["fd"] = fd.get();
    state["from"] = now();
    execl(path.c_str(), path.c_str(), "close", "how=after-exec", ("state=" + state.dump()).c_str(), nullptr);
  });
  fd.reset();
  usleep(use_us);
  parent_is_done.close();
  child.wait(report);
  connection.close_rest(report);
}

void report_after_exec(const Options &options, Report &report) {
  const Json state = Json::parse(options.text("state", ""));
  Span ended{state.at("from").get<Moment>(), {}};
  if (state.contains("fd")) {
    ended.from = now();
    if (::close(state.at("fd").get<int>()) != 0) die("close");
  }
  ended.to = now();
  report.add(closed(state, ended));
}

// The receiver is there before the connection is, and so inherits nothing of it.
void close_by_receiver(Report &report) {
  UnixPair pair;
  Child receiver{[&](Report &to) {
    auto [text, fd] = pair.receive();
    pair.wait_for_end();
    usleep(use_us);
    Span ended{now(), {}};
    fd.reset();
    ended.to = now();
    to.add(closed(Json::parse(text), ended));
  }};
  Connection connection = connected(report);
  const std::string state = handed_over(connection).dump();
  Fd fd{connection.client.release()};
  pair.send(state, {fd.get()});
  fd.reset();
  usleep(use_us);
  pair.close();
  receiver.wait(report);
  connection.close_rest(report);
}

}  // namespace

bool close_last(const Options &options, Report &report) {
  const std::string how = options.text("how", "");
  const std::map<std::string, Span (*)(int)> here{{"range", close_a_range},
                                                  {"replace", replace},
                                                  {"copy", close_copy},
                                                  {"pass-unread", leave_unread},
                                                  {"pass-cycle", leave_in_cycle}};
  if (const auto found = here.find(how); found != here.end()) {
    close_here(report, found->second);
  } else if (how == "pass") {
    close_by_receiver(report);
  } else if (how == "inherit" || how == "exec") {
    close_by_program(report, how == "exec");
  } else if (how == "after-exec") {
    report_after_exec(options, report);
  } else {
    return false;
  }
  return true;
}

}  // namespace iptrackd::oracle
