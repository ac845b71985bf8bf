// Pipeline: all stages of the daemon, wired once, here.
//
//   kernel rings ──> RingReader ──┐
//                                 ├──> Pool ──> Writer ──> Sink
//   FIFO ──────────> FifoReader ──┘              ▲
//                                                │ losses
//   kernel counters ──────────> LossWatch ───────┤
//   deeds of its own ─────────> SelfTestWatch ───┘
//
// Five threads, each with one job: ring-reader, fifo-reader, sink-writer, loss-watch, self-test. The durable
// spool will stand between the pool and the sink.
#ifndef IPTRACKD_APP_PIPELINE_H
#define IPTRACKD_APP_PIPELINE_H

#include <chrono>
#include <cstdint>
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
  };

  // Takes the FIFO, loads and attaches the hooks, opens the database (or makes the file), starts the threads;
  // in this order, so that what fails leaves nothing behind. Signals must be blocked by the caller: the
  // threads inherit that.
  // ON_SELF_TEST hears, in a thread of the pipeline, what each self-test has found, the first soon after the
  // start.
  [[nodiscard]] static Result<std::unique_ptr<Pipeline>> start(const config::Config &config,
                                                               SelfTestWatch::Observer on_self_test);
  ~Pipeline();
  Pipeline(const Pipeline &) = delete;
  Pipeline &operator=(const Pipeline &) = delete;

  [[nodiscard]] const std::vector<loader::HookStatus> &hooks() const noexcept;

  // Detaches the hooks, drains every stage and waits until everything is stored, for GRACE at most.
  Outcome stop(std::chrono::milliseconds grace);
  // Ends stop()'s wait: what is not stored by now is lost. Thread-safe.
  void give_up() noexcept;

 private:
  struct Stages;
  explicit Pipeline(std::unique_ptr<Stages> stages) noexcept;
  std::unique_ptr<Stages> stages_;
};

}  // namespace iptrackd::app

#endif
