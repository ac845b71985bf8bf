#include "deeds.h"

namespace iptrackd::oracle {
namespace {

// Nobody waits: accept fails with EAGAIN, and no connection means no row.
void expect_no_connection(Socket &server, Report &report) {
  server.set_blocking(false);
  if (server.accept(report)) die("an accept without a client");
  server.set_blocking(true);
}

}  // namespace

void accept_deed(const Options &options, Report &report) {
  const bool accept4 = options.is("call", "accept4");
  Socket server{options.family(), Proto::tcp};
  server.bind(report, loopback(options.family(), 0));
  server.listen();
  if (options.is("empty", "yes")) expect_no_connection(server, report);
  if (options.is("early", "yes")) server.begin_accept();
  Socket client{options.family(), Proto::tcp};
  client.connect(report, loopback(options.family(), port_of(server.local())));
  const auto serve = [&](Report &to) {
    auto connection = server.accept(to, accept4);
    connection->close(to);
  };
  if (options.is("by", "child")) {
    // The listener was opened by the parent and is closed by it; what the child accepts is the child's.
    Child{serve}.wait(report);
  } else {
    serve(report);
  }
  client.close(report);
  if (options.is("again", "yes")) {
    Socket second{options.family(), Proto::tcp};
    second.connect(report, loopback(options.family(), port_of(server.local())));
    serve(report);
    second.close(report);
  }
  server.close(report);
}

}  // namespace iptrackd::oracle
