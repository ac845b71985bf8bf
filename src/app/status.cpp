// `iptrackd status`: what a running daemon says of itself.
#include <fmt/core.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "app/log.h"
#include "app/settings.h"
#include "app/verbs.h"
#include "control/server.h"

namespace iptrackd::app {
namespace {

using Json = nlohmann::json;

std::string causes_of(const Json &lost) {
  std::string causes;
  for (const auto &[cause, count] : lost.items()) {
    causes += fmt::format("{}{}: {}", causes.empty() ? "" : ", ", cause, count.get<std::uint64_t>());
  }
  return causes;
}

void print_kernel(const Json &kinds) {
  std::cout << fmt::format("{:<9}{:>14}{:>14}{:>14}{:>10}\n", "KIND", "SEEN", "HANDED OVER", "WHITELISTED",
                           "LOST");
  for (const char *kind : {"exec", "connect", "accept", "bind", "close"}) {
    const Json &counted = kinds.at(kind);
    const auto seen = counted.at("seen").get<std::uint64_t>();
    const auto handed = counted.at("handed_over").get<std::uint64_t>();
    const auto dropped = counted.at("whitelisted").get<std::uint64_t>();
    std::cout << fmt::format("{:<9}{:>14}{:>14}{:>14}{:>10}  {}\n", kind, seen, handed, dropped,
                             seen - handed - dropped, printable(causes_of(counted.at("lost"))));
  }
}

void print_status(const Json &status) {
  const Json &spool = status.at("spool");
  const Json &sink = status.at("sink");
  const Json &pool = status.at("pool");
  const Json &clock = status.at("clock");
  std::cout << fmt::format(
      "{}: iptrackd {}, {} hooks attached, clock {}\n\n", printable(status.at("host").get<std::string>()),
      printable(status.at("version").get<std::string>()), status.at("hooks").at("attached").get<int>(),
      clock.is_null() ? "unknown" : printable(clock.get<std::string>()));
  print_kernel(status.at("kernel"));
  std::cout << fmt::format("\npool      {} of {} records in use, {} waits for a free one\n",
                           pool.at("in_use").get<std::uint64_t>(), pool.at("allocated").get<std::uint64_t>(),
                           pool.at("waits").get<std::uint64_t>());
  std::cout << fmt::format(
      "spool     {} records written, {} wait for the database, {} bytes, {} events lost\n",
      spool.at("appended").get<std::uint64_t>(), spool.at("waiting").get<std::uint64_t>(),
      spool.at("bytes").get<std::uint64_t>(), spool.at("dropped").get<std::uint64_t>());
  if (const auto error = spool.at("last_error").get<std::string>(); !error.empty()) {
    std::cout << "          last error: " << printable(error) << '\n';
  }
  std::cout << fmt::format("database  {} events stored, {} refused, {:.1f} s behind{}\n",
                           sink.at("rows").get<std::uint64_t>(), sink.at("rejected").get<std::uint64_t>(),
                           sink.at("lag_seconds").get<double>(),
                           sink.at("failing").get<bool>() ? "; it does not take rows now" : "");
}

}  // namespace

int status(const ConfigFile &file, bool json) {
  const auto config = load_config(file, Missing::means_defaults);
  if (!config) return report(config.error());
  const auto answer = control::ask(config->control.socket, "status");
  if (!answer) return report(Error{Fault::environment, answer.error().message()});
  const Json status = Json::parse(*answer, nullptr, false);
  if (status.is_discarded()) return report(Error{Fault::environment, "the daemon's answer cannot be read"});
  if (json) {
    std::cout << status.dump(2) << '\n';
    return 0;
  }
  print_status(status);
  return 0;
}

}  // namespace iptrackd::app
