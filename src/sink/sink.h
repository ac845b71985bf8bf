// Sink: where the spool's entries end. One interface, several drivers (postgresql, jsonl).
//
// A sink keeps, beside the rows, up to which position of which spool they reach, and moves it in the step
// that stores them: what was interrupted, or answered too late, is then never stored twice.
//
// A sink is used by one thread at a time, except for tell().
#ifndef IPTRACKD_SINK_SINK_H
#define IPTRACKD_SINK_SINK_H

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/batch.h"
#include "core/result.h"
#include "sink/vitals.h"

namespace iptrackd::sink {

class Sink {
 public:
  virtual ~Sink() = default;

  // The driver's name, for messages: "postgresql", "jsonl".
  [[nodiscard]] virtual std::string_view driver() const noexcept = 0;
  // Makes it ready to write, where it is not yet, and tells up to where the entries of SPOOL_ID are stored:
  // {0,0} for a spool that was never seen. nullopt: the sink cannot know (standard output). ORIGIN is the
  // daemon's own. Faults: connection (retry), usage, environment (give up at the start), moved (SPOOL_ID is
  // another host's), cancelled (STOP was requested; honoured within 100 ms).
  [[nodiscard]] virtual Result<std::optional<Position>> open(const std::string &spool_id,
                                                             const Origin &origin, std::stop_token stop) = 0;
  // Stores the whole view, and that the spool now stands at its end, or nothing. An empty view that ends
  // where it begins is a sign of life: everything that the source has is stored. Faults: moved (the spool
  // does not stand at view.from), rejected (this very data is refused; nothing is stored), and those of
  // open(). After any but rejected, what is stored is not known until open() tells.
  [[nodiscard]] virtual Result<void> write(const std::string &spool_id, const BatchView &view,
                                           std::stop_token stop) = 0;
  // Whether the view could be stored: does all of write() and takes it back. A sink that cannot take back
  // fails.
  [[nodiscard]] virtual Result<void> rehearse(const BatchView &, std::stop_token) {
    return fail(Fault::environment, "cannot be tried");
  }
  // Until when, in UTC microseconds of the host's clock, everything was stored when open() told the position.
  [[nodiscard]] virtual std::optional<std::int64_t> stored_until() const { return std::nullopt; }

  // How the daemon is, to be shown with the next sign of life. Thread-safe.
  void tell(Vitals vitals) { vitals_.set(std::move(vitals)); }

 protected:
  [[nodiscard]] Vitals vitals() const { return vitals_.get(); }

 private:
  VitalsBox vitals_;
};

}  // namespace iptrackd::sink

#endif
