// Health: how the daemon is, for `iptrackd status` and for its host's row in iptrackd.hosts. Reads the
// counters of all stages; thread-safe, as they are.
#ifndef IPTRACKD_APP_HEALTH_H
#define IPTRACKD_APP_HEALTH_H

#include <atomic>
#include <cstdint>
#include <string>

#include "app/loss_watch.h"
#include "core/batch.h"
#include "core/pool.h"
#include "loader/tracer.h"
#include "sink/vitals.h"
#include "sink/writer.h"
#include "spool/spool.h"

namespace iptrackd::app {

class Health {
 public:
  // All must outlive it. SINK_FAILING: the last attempt to write failed.
  struct Stages {
    const Origin &origin;
    const loader::Tracer &tracer;
    const Pool &pool;
    const spool::Spool &spool;
    const sink::Writer &writer;
    const LossWatch &loss_watch;
    const std::atomic<bool> &sink_failing;
  };
  explicit Health(const Stages &stages);

  // What `iptrackd status --json` prints; print_status() makes the table of it.
  [[nodiscard]] std::string json() const;
  [[nodiscard]] sink::Vitals vitals() const;

 private:
  [[nodiscard]] double lag_seconds() const;

  Stages stages_;
  std::int64_t began_us_;
};

}  // namespace iptrackd::app

#endif
