#include <unistd.h>

#include <vector>

#include "deeds.h"
#include "outcomes.h"

namespace iptrackd::oracle {
namespace {

Patience patience_of(const Options &options) {
  if (options.is("how", "poll")) return Patience::poll;
  return options.is("how", "connect") ? Patience::connect : Patience::blocking;
}

// A port that nobody listens on, and that nobody else is given meanwhile: it is bound, and reported as such.
Socket closed_port(const Options &options, Report &report) {
  Socket owner{options.family(), options.proto()};
  owner.bind(report, loopback(options.family(), 0));
  return owner;
}

Socket client_of(const Options &options, Report &report) {
  Socket client{options.family(), options.proto()};
  if (options.is("bound", "yes")) client.bind(report, loopback(options.family(), 0));
  return client;
}

void connect_accepted(const Options &options, Report &report) {
  Socket server{options.family(), options.proto()};
  server.bind(report, loopback(options.family(), 0));
  if (options.proto() == Proto::tcp) server.listen();
  Socket client = client_of(options, report);
  client.connect(report, loopback(options.family(), port_of(server.local())), patience_of(options));
  if (options.proto() == Proto::tcp) {
    auto connection = server.accept(report);
    connection->count(0, calls_for("connect").sent_by_connect());
    connection->close(report);
  }
  client.close(report);
  server.close(report);
}

void connect_refused(const Options &options, Report &report) {
  Socket owner = closed_port(options, report);
  Socket client = client_of(options, report);
  client.connect(report, loopback(options.family(), port_of(owner.local())), patience_of(options));
  client.close(report);
  owner.close(report);
}

// Refused by the kernel before anything is sent: TCP to a broadcast address is ENETUNREACH, UDP without
// SO_BROADCAST is EACCES.
void connect_broadcast(const Options &options, Report &report) {
  Socket client = client_of(options, report);
  client.connect(report, name_of(Family::ipv4, "255.255.255.255", 9), patience_of(options));
  client.close(report);
}

// The listener's queue is full, so that the SYN is dropped and the outcome is learnt a second later, when it
// is sent again, and outside of any call of this process.
void connect_waiting(const Options &options, Report &report) {
  Socket server{options.family(), Proto::tcp};
  server.bind(report, loopback(options.family(), 0));
  server.listen(0);
  const Name target = loopback(options.family(), port_of(server.local()));
  Socket first{options.family(), Proto::tcp};
  first.connect(report, target);
  Socket waiting{options.family(), Proto::tcp};
  waiting.begin_connect(target);
  usleep(50'000);
  if (options.is("outcome", "abandoned")) waiting.abandon_connect(report);
  auto first_connection = server.accept(report);
  if (options.is("outcome", "delayed")) {
    waiting.finish_connect(report, patience_of(options));
    auto connection = server.accept(report);
    connection->close(report);
    waiting.close(report);
  }
  first_connection->close(report);
  first.close(report);
  server.close(report);
}

}  // namespace

void connect_deed(const Options &options, Report &report) {
  if (connect_to_full_queue(options, report)) return;
  const std::string outcome = options.text("outcome", "accepted");
  if (outcome == "accepted") return connect_accepted(options, report);
  if (outcome == "refused") return connect_refused(options, report);
  if (outcome == "unreachable" || outcome == "forbidden") return connect_broadcast(options, report);
  connect_waiting(options, report);
}

}  // namespace iptrackd::oracle
