// Socket: performs one socket call at a time and reports the row that it must leave.
#ifndef IPTRACKD_TESTS_PROGRAMS_SOCKET_H
#define IPTRACKD_TESTS_PROGRAMS_SOCKET_H

#include <cstdint>
#include <optional>
#include <string>

#include "core/fd.h"
#include "name.h"
#include "report.h"
#include "ways.h"

namespace iptrackd::oracle {

// What it is to its caller; an MPTCP socket is shown as TCP.
enum class Proto { tcp, udp, mptcp };

// How a connect is carried through.
enum class Patience {
  blocking,
  poll,     // non-blocking, poll(2) tells when it is over
  connect,  // non-blocking, connect(2) is called again until it says how it ended
};

class Socket {
 public:
  Socket(Family family, Proto proto);

  // Each performs the call and reports its row, also when the call fails; the result is 0 or a negative
  // errno.
  int bind(Report &report, const Name &name);
  int connect(Report &report, const Name &name, Patience patience = Patience::blocking);
  // Begins a non-blocking connect, and ends it later.
  void begin_connect(const Name &name);
  // The same as the socket is: a call that blocks may be left before the attempt is over. 0 or a negative
  // errno.
  int ask_to_connect(const Name &name);
  int finish_connect(Report &report, Patience patience);
  // Closes the socket while its connect is under way, whose outcome nobody will ever know.
  void abandon_connect(Report &report);
  // The accepted connection; none where accept(2) returned none, which leaves no row.
  [[nodiscard]] std::optional<Socket> accept(Report &report, bool accept4 = false);
  // Asks for the connection that the next accept() takes, before there is one, where the way of the call can.
  void begin_accept();
  void listen(int backlog = 16);
  // The close that is the socket's last one.
  void close(Report &report);

  // The row of the close, without moment and duration, by the calling process.
  [[nodiscard]] Json close_row() const;
  // Leaves the close to the end of the process, or to a program that replaces it.
  void leave_open(Report &report);

  [[nodiscard]] Name local() const;
  [[nodiscard]] int fd() const { return fd_.get(); }
  // Hands the descriptor over, whose close is then the caller's.
  [[nodiscard]] int release() { return fd_.release(); }
  void set_blocking(bool blocking);
  // It was in use before the daemon was there: its close tells neither who opened it nor when, nor any bytes.
  void is_older_than_the_daemon() { is_old_ = true; }
  // Payload that passed through this socket.
  void count(std::uint64_t sent, std::uint64_t received);

 private:
  // A connection that LISTENER has accepted.
  Socket(const Socket &listener, const Accepted &accepted, const Span &begun);
  void begin_use(const Span &span);
  void take_addresses(const Name &own, const Name &peer);
  void let_go();
  void add_addresses(Json &row) const;
  [[nodiscard]] int wait_for_outcome(Patience patience);

  Fd fd_;
  std::optional<unsigned> slot_;  // instead of a descriptor
  Proto proto_;
  bool is_old_ = false;
  std::optional<Span> begun_;  // the call that began the use; none yet: its close leaves no row
  std::optional<int> opener_;
  bool connected_ = false;
  bool has_byte_counters_ = false;
  std::optional<Moment> accept_began_;
  Json local_address_, local_port_, remote_address_, remote_port_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  Name target_;
  Moment connect_began_;
  Moment still_undecided_;   // the last time that the outcome was not known yet
  int refused_at_once_ = 0;  // what a non-blocking connect said before it could wait for anything
};

}  // namespace iptrackd::oracle

#endif
