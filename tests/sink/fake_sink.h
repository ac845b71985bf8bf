// FakeSink: keeps what it is given, and the positions; fails as it is told, refuses poison.
#ifndef IPTRACKD_TESTS_SINK_FAKE_SINK_H
#define IPTRACKD_TESTS_SINK_FAKE_SINK_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "sink/sink.h"

namespace iptrackd::test {

class FakeSink final : public sink::Sink {
 public:
  enum class Failure : std::uint8_t { connection, environment, rejected, answer_lost };
  std::deque<Failure> failures;       // of the next writes
  bool away = false;                  // every open fails
  bool knows = true;                  // where a spool stands
  std::string poison = "poison";      // comm of the events that it rejects
  std::string peculiar = "peculiar";  // comm of the events that fail for a reason that it does not know
  bool broken = false;                // every event fails like that
  std::vector<std::uint64_t> seqs;
  std::vector<Loss> losses;
  std::vector<HostEvent> host_events;
  std::map<std::string, Position> positions;
  std::size_t opens = 0;
  std::size_t batches = 0;
  std::size_t empty_batches = 0;
  std::size_t largest = 0;

  std::string_view driver() const noexcept override { return "fake"; }

  Result<std::optional<Position>> open(const std::string &id, const Origin &, std::stop_token stop) override {
    if (stop.stop_requested()) return fail(Fault::cancelled, "stop");
    if (away) return fail(Fault::connection, "away");
    ++opens;
    if (!knows) return std::nullopt;
    return positions[id];
  }

  Result<void> write(const std::string &id, const BatchView &view, std::stop_token stop) override {
    if (stop.stop_requested()) return fail(Fault::cancelled, "stop");
    Failure failure{};
    const bool failing = !failures.empty();
    if (failing) {
      failure = failures.front();
      failures.pop_front();
      if (failure == Failure::connection) return fail(Fault::connection, "as told");
      if (failure == Failure::environment) return fail(Fault::environment, "as told");
      if (failure == Failure::rejected) return fail(Fault::rejected, "as told");
    }
    if (auto fits = check(view); !fits) return fits;
    if (knows && positions[id] != view.from) return fail(Fault::moved, "moved");
    positions[id] = view.to;
    for (const Event &event : view.events) seqs.push_back(event.seq);
    losses.insert(losses.end(), view.losses.begin(), view.losses.end());
    host_events.insert(host_events.end(), view.host_events.begin(), view.host_events.end());
    ++batches;
    empty_batches += view.empty() ? 1 : 0;
    largest = std::max(largest, view.events.size());
    if (failing) return fail(Fault::connection, "the answer was lost");
    return {};
  }

  Result<void> rehearse(const BatchView &view, std::stop_token) override { return check(view); }

 private:
  Result<void> check(const BatchView &view) const {
    for (const Event &event : view.events) {
      if (broken || event.comm.view() == peculiar) return fail(Fault::environment, "strange");
      if (event.comm.view() == poison) return fail(Fault::rejected, "poison");
    }
    for (const Loss &loss : view.losses) {
      if (loss.stage == poison || loss.from_unix_us < 0) return fail(Fault::rejected, "poison");
    }
    for (const HostEvent &event : view.host_events) {
      if (event.kind == poison) return fail(Fault::rejected, "poison");
    }
    return {};
  }
};

}  // namespace iptrackd::test

#endif
