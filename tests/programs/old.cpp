// A process and sockets that are there before the daemon is: what it does afterwards, and their end.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "deeds.h"

namespace iptrackd::oracle {
namespace {

struct OldConnection {
  Socket server, client, accepted;
};

OldConnection old_tcp(Family family) {
  Report unseen;
  Socket server{family, Proto::tcp};
  server.bind(unseen, loopback(family, 0));
  server.listen();
  Socket client{family, Proto::tcp};
  client.connect(unseen, loopback(family, port_of(server.local())));
  auto accepted = server.accept(unseen);
  return {std::move(server), std::move(client), std::move(*accepted)};
}

Socket old_udp() {
  Report unseen;
  Socket socket{Family::ipv4, Proto::udp};
  socket.connect(unseen, loopback(Family::ipv4, 9));
  return socket;
}

// The test goes on when NAME.ready is there, and lets us go on by NAME.
void wait_for_daemon(const std::filesystem::path &name) {
  std::ofstream{name.string() + ".ready"};
  while (!std::filesystem::exists(name)) usleep(10'000);
}

}  // namespace

// An exiting process has no memory any more when its sockets are closed, and with it no executable.
void old_deed(const Options &options, Report &report) {
  OldConnection v4 = old_tcp(Family::ipv4);
  OldConnection v6 = old_tcp(Family::ipv6);
  Socket udp = old_udp();
  for (Socket *socket : {&v4.accepted, &v4.client, &v4.server, &v6.accepted, &v6.client, &v6.server, &udp})
    socket->is_older_than_the_daemon();
  wait_for_daemon(options.text("until", ""));
  if (!options.is("first", "end")) {
    connect_deed(options, report);
    for (Socket *socket : {&v4.accepted, &v4.client, &v4.server, &udp}) socket->close(report);
  } else {
    for (Socket *socket : {&v4.accepted, &v4.client, &v4.server, &udp}) socket->leave_open(report);
  }
  for (Socket *socket : {&v6.accepted, &v6.client, &v6.server}) socket->leave_open(report);
}

}  // namespace iptrackd::oracle
