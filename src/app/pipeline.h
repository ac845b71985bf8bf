// Pipeline: all stages of the daemon, wired once, here.
//
//   kernel rings ──> RingReader ──┐
//                                 ├──> Pool ──> Spooler ──> Spool ──> Writer ──> Sink
//   FIFO ──────────> FifoReader ──┘                           ▲
//                                                             │ losses
//   kernel counters ──────────> LossWatch ────────────────────┤
//   deeds of its own ─────────> SelfTestWatch ────────────────┘
//
// Eight threads, each with one job: ring-reader, fifo-reader, spooler, sink-writer, loss-watch, self-test,
// whitelist, control. What the spool holds is safe; only then do the rings have their room back.
#ifndef IPTRACKD_APP_PIPELINE_H
#define IPTRACKD_APP_PIPELINE_H

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>

#include "app/self_test_watch.h"
#include "config/config.h"
#include "core/result.h"
#include "loader/hooks.h"
#include "sink/writer.h"

namespace iptrackd::app {

class Pipeline {
 public:
  struct Outcome {
    sink::Writer::Summary writer;
    std::uint64_t kernel_lost = 0;  // events that the kernel side could not hand over, since the start
    std::uint64_t waiting = 0;      // entries that wait in the spool for the next daemon
  };

  // Takes the FIFO, attaches the hooks or takes them over, recovers the spool, opens the database (or makes
  // the file), starts the threads. A database that is away is no fault. Signals must be blocked by the
  // caller: the threads inherit that. ON_SELF_TEST hears, in a thread of the pipeline, what each self-test
  // has found, the first soon after the start.
  [[nodiscard]] static Result<std::unique_ptr<Pipeline>> start(const config::Config &config,
                                                               SelfTestWatch::Observer on_self_test);
  ~Pipeline();
  Pipeline(const Pipeline &) = delete;
  Pipeline &operator=(const Pipeline &) = delete;

  [[nodiscard]] const std::vector<loader::HookStatus> &hooks() const noexcept;

  // Have the threads that carry events from the rings to the spool made a round since this was asked last?
  [[nodiscard]] bool is_moving() noexcept;

  // For iptrackd.host_event. Thread-safe.
  void note(std::string kind, std::string detail);

  // Takes from CONFIG what can change while the daemon runs; BY: who wants it. What cannot be done leaves
  // things as they are.
  [[nodiscard]] Result<void> reload(const config::Config &config, const std::string &by);

  // Lets go of the hooks, drains every stage into the spool, and waits until the database has everything: for
  // GRACE at most, and not for a database that is away.
  Outcome stop(std::chrono::milliseconds grace);
  // Ends stop()'s wait. Thread-safe.
  void give_up() noexcept;

 private:
  struct Stages;
  explicit Pipeline(std::unique_ptr<Stages> stages) noexcept;
  void wait_for_sink(const std::future<sink::Writer::Summary> &written,
                     std::chrono::milliseconds grace) const;

  std::unique_ptr<Stages> stages_;
  std::uint64_t rounds_of_ring_reader_ = 0;  // when is_moving() was asked last
  std::uint64_t rounds_of_spooler_ = 0;
};

}  // namespace iptrackd::app

#endif
