#include "app/health.h"

#include <sys/timex.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/clock.h"
#include "iptrackd/build_options.h"

namespace iptrackd::app {
namespace {

using Json = nlohmann::json;

std::string dumped(const Json &json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Empty: a sandbox does not let us ask.
std::string clock_state() {
  timex times{};
  const int state = ntp_adjtime(&times);
  if (state < 0) return {};
  return state == TIME_ERROR ? "unsynchronised" : "synchronised";
}

const char *arrival_name(loader::Arrival arrival) {
  switch (arrival) {
    case loader::Arrival::adopted:
      return "adopted";
    case loader::Arrival::replaced:
      return "replaced";
    case loader::Arrival::fresh:
      break;
  }
  return "fresh";
}

// By kind: what the hooks saw, and what became of it. Since the kernel side began, which may be before the
// daemon.
Json kernel_of(const loader::Tracer &tracer) {
  Json kinds = Json::object();
  const auto counters = tracer.counters();
  for (std::size_t kind = 0; kind < counters.size(); ++kind) {
    Json &counted = kinds[std::string{kind_name(static_cast<Kind>(kind))}];
    std::uint64_t seen = 0;
    counted["lost"] = Json::object();
    for (std::size_t cause = 0; cause < counters[kind].size(); ++cause) {
      const std::uint64_t count = counters[kind][cause];
      seen += count;
      if (cause == IPTRACKD_CAUSE_SUBMITTED) {
        counted["handed_over"] = count;
      } else if (cause == IPTRACKD_CAUSE_WHITELISTED) {
        counted["whitelisted"] = count;
      } else if (count != 0) {
        counted["lost"][std::string{loader::cause_name(cause)}] = count;
      }
    }
    counted["seen"] = seen;
  }
  return kinds;
}

Json hooks_of(const loader::Tracer &tracer) {
  std::size_t attached = 0;
  Json refused = Json::array();
  for (const auto &status : tracer.hooks()) {
    if (status.state == loader::HookState::attached) ++attached;
    if (status.state == loader::HookState::refused) refused.push_back(status.target);
  }
  return {{"attached", attached}, {"refused", refused}, {"arrival", arrival_name(tracer.arrival())}};
}

}  // namespace

Health::Health(const Stages &stages) : stages_{stages}, began_us_{unix_time_us()} {}

// Of the newest event that is stored; none waits: nothing is behind.
double Health::lag_seconds() const {
  const std::int64_t newest = stages_.writer.counters().last_unix_us;
  if (stages_.spool.usage().waiting == 0) return 0;
  const std::int64_t since = newest != 0 ? newest : began_us_;
  return static_cast<double>(std::max<std::int64_t>(0, unix_time_us() - since)) / 1e6;
}

std::string Health::json() const {
  const auto pool = stages_.pool.usage();
  const auto spool = stages_.spool.usage();
  const auto sink = stages_.writer.counters();
  const std::string clock = clock_state();
  return dumped({
      {"host", stages_.origin.host},
      {"boot_id", stages_.origin.boot_id},
      {"version", IPTRACKD_VERSION},
      {"began_us", began_us_},
      {"clock", clock.empty() ? Json{} : Json(clock)},
      {"hooks", hooks_of(stages_.tracer)},
      {"kernel", kernel_of(stages_.tracer)},
      {"pool",
       {{"allocated", pool.allocated},
        {"in_use", pool.in_use},
        {"bytes", pool.bytes},
        {"waits", pool.waits}}},
      {"spool",
       {{"id", stages_.spool.id()},
        {"bytes", spool.bytes},
        {"waiting", spool.waiting},
        {"appended", spool.appended},
        {"dropped", spool.dropped},
        {"last_error", spool.last_error}}},
      {"sink",
       {{"failing", stages_.sink_failing.load()},
        {"rows", sink.rows},
        {"batches", sink.batches},
        {"errors", sink.errors},
        {"rejected", sink.rejected},
        {"lag_seconds", lag_seconds()}}},
      {"kernel_lost", stages_.loss_watch.kernel_lost()},
  });
}

sink::Vitals Health::vitals() const {
  Json hooks = Json::object();
  for (const auto &status : stages_.tracer.hooks()) {
    if (status.state == loader::HookState::attached) hooks[std::string{status.hook->program}] = status.target;
    if (status.state == loader::HookState::refused) hooks[std::string{status.hook->program}] = "refused";
  }
  const auto lag = std::chrono::duration<double>{lag_seconds()};
  return {dumped(hooks), std::chrono::duration_cast<std::chrono::microseconds>(lag),
          stages_.loss_watch.kernel_lost() + stages_.spool.usage().dropped, clock_state()};
}

}  // namespace iptrackd::app
