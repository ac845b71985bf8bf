#include "app/chronicle.h"

#include <spdlog/spdlog.h>

#include <optional>
#include <utility>

#include "core/clock.h"
#include "iptrackd/build_options.h"

namespace iptrackd::app {
namespace {

std::string describe(const loader::Tracer &tracer) {
  switch (tracer.arrival()) {
    case loader::Arrival::adopted:
      return "the hooks had gone on without a daemon";
    case loader::Arrival::replaced:
      return "the hooks had gone on without a daemon; other programs have taken their place";
    case loader::Arrival::fresh:
      break;
  }
  return "the hooks were attached anew";
}

}  // namespace

void note(spool::Spool &spool, std::string kind, std::string detail) {
  spool.note({unix_time_us(), std::move(kind), std::move(detail)});
}

void note_beginning(spool::Spool &spool, const loader::Tracer &tracer, const config::Probes &probes) {
  const auto &found = spool.recovery();
  const std::int64_t now_us = unix_time_us();
  const bool is_takeover = tracer.arrival() != loader::Arrival::fresh;
  if (!found.created && !found.clean_end) {
    spdlog::warn("the daemon before this one ended without stopping");
    // One that was killed early enough has left no record.
    const std::int64_t last_us = found.last_unix_us != 0 ? found.last_unix_us : now_us;
    spool.note({last_us, "crash", "the daemon ended without stopping; this is its last record"});
  }
  if (!found.created && !is_takeover && found.last_unix_us != 0) {
    spool.book({found.last_unix_us, now_us, "daemon", "daemon-down", {}, {}, {}});
  }
  spool.note({now_us, is_takeover ? "takeover" : "start",
              std::string{"iptrackd "} + IPTRACKD_VERSION + "; " + describe(tracer)});
  if (auto list = config::left_out(probes); !list.empty()) spool.note({now_us, "left-out", std::move(list)});
}

}  // namespace iptrackd::app
