#include "deeds.h"

namespace iptrackd::oracle {
namespace {

std::string wildcard(Family family) {
  return family == Family::ipv6 ? "::" : "0.0.0.0";
}

Name wanted(const Options &options, std::uint16_t port) {
  if (options.is("outcome", "unavailable")) return name_of(options.family(), "192.0.2.1", port);
  if (options.is("address", "any")) return name_of(options.family(), wildcard(options.family()), port);
  return loopback(options.family(), port);
}

}  // namespace

void bind_deed(const Options &options, Report &report) {
  Socket first{options.family(), options.proto()};
  const bool unavailable = options.is("outcome", "unavailable");
  first.bind(report, wanted(options, unavailable ? 7 : 0));
  if (options.is("outcome", "in-use")) {
    Socket second{options.family(), options.proto()};
    second.bind(report, wanted(options, port_of(first.local())));
    second.close(report);
  }
  first.close(report);
}

}  // namespace iptrackd::oracle
