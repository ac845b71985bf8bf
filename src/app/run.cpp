// `iptrackd run`: the daemon.
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/log.h"
#include "app/pipeline.h"
#include "app/settings.h"
#include "app/verbs.h"
#include "confine/privileges.h"
#include "iptrackd/build_options.h"

namespace iptrackd::app {
namespace {

// Long enough for a database that is busy, short enough for an administrator who waits.
constexpr std::chrono::seconds flush_grace{10};

// Blocked in all threads, which inherit the mask, and taken one by one by the main thread.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Ready is who has passed the self-test. Until then, and when it fails later, everything that works goes on.
class Readiness {
 public:
  // HOOKS outlive this.
  void hear(const std::vector<loader::HookStatus> &hooks, const loader::SelfTestReport &report) {
    const auto failures = report.failures(hooks);
    if (!report.remark.empty() && report.remark != last_remark_) spdlog::warn("self-test: {}", report.remark);
    last_remark_ = report.remark;
    failures.empty() ? pass(hooks) : fail(failures);
    last_failures_ = failures;
  }

  // Thread-safe.
  [[nodiscard]] bool is_ready() const noexcept { return ready_.load(); }

 private:
  void pass(const std::vector<loader::HookStatus> &hooks) {
    if (!last_failures_.empty()) spdlog::info("self-test: every hook sees its deeds again");
    if (ready_.exchange(true) && last_failures_.empty()) return;
    sd_notify(0, "READY=1\nSTATUS=all hooks see what they are for");
    const auto attached = std::count_if(hooks.begin(), hooks.end(), [](const loader::HookStatus &status) {
      return status.state == loader::HookState::attached;
    });
    spdlog::info("ready: iptrackd {}, {} hooks attached", IPTRACKD_VERSION, attached);
  }

  // Not ready is no reason to be killed: the other hooks go on. systemd counts from each such message.
  void fail(const std::vector<std::string> &failures) {
    const auto status = fmt::format("STATUS={}: {}", ready_ ? "failing" : "not ready", failures.front());
    sd_notify(0, (ready_ ? status : status + "\nEXTEND_TIMEOUT_USEC=60000000").c_str());
    if (failures == last_failures_) return;
    for (const auto &sentence : failures) spdlog::error("{}", printable(sentence));
    spdlog::error("{}; what the other hooks see is recorded", ready_ ? "no longer complete" : "not ready");
  }

  std::atomic<bool> ready_ = false;
  std::vector<std::string> last_failures_;
  std::string last_remark_;
};

void reload(const ConfigFile &file, Pipeline &pipeline, const std::string &by) {
  const auto config = load_config(file);
  if (!config) {
    spdlog::error("the configuration stays as it was: {}", config.error().message());
    return;
  }
  if (auto reloaded = pipeline.reload(*config, by); !reloaded) {
    spdlog::error("the configuration stays as it was: {}", printable(reloaded.error().message()));
    return;
  }
  set_log_level(config->log.level);
  spdlog::info("reloaded {}: log.level and whitelist are in force; other changes need a restart", file.path);
}

// "SIGTERM from process 1 of user 0"
std::string describe(const siginfo_t &signal) {
  return fmt::format(
      "{} from process {} of user {}",
      sigabbrev_np(signal.si_signo) ? "SIG" + std::string{sigabbrev_np(signal.si_signo)} : "a signal",
      signal.si_pid, signal.si_uid);
}

// Tells systemd that the daemon lives, as long as events move through it; systemd starts it anew where they
// do not (WatchdogSec=).
class Watchdog {
 public:
  Watchdog() {
    std::uint64_t microseconds = 0;
    if (sd_watchdog_enabled(1, &microseconds) > 0) interval_ = std::chrono::microseconds{microseconds / 4};
  }
  // How long to wait for a signal; empty: for ever.
  [[nodiscard]] std::optional<timespec> longest_wait() const {
    if (interval_.count() == 0) return std::nullopt;
    return timespec{interval_.count() / 1'000'000, interval_.count() % 1'000'000 * 1000};
  }
  void look_at(Pipeline &pipeline) const {
    if (interval_.count() != 0 && pipeline.is_moving()) sd_notify(0, "WATCHDOG=1");
  }

 private:
  std::chrono::microseconds interval_{0};
};

// Waits for the signal to stop; SIGHUP is served on the way.
siginfo_t wait_for_stop(const sigset_t &signals, const ConfigFile &file, const Readiness &readiness,
                        Pipeline &pipeline) {
  const Watchdog watchdog;
  const auto timeout = watchdog.longest_wait();
  for (;;) {
    siginfo_t signal{};
    const int number = sigtimedwait(&signals, &signal, timeout ? &*timeout : nullptr);
    watchdog.look_at(pipeline);
    if (number < 0) continue;
    if (signal.si_signo != SIGHUP) return signal;
    pipeline.note("reload", describe(signal));
    // What is not ready yet must not become so by a reload.
    const bool tell = readiness.is_ready();
    if (tell) sd_notify(0, "RELOADING=1");
    reload(file, pipeline, describe(signal));
    if (tell) sd_notify(0, "READY=1");
  }
}

int stop(Pipeline &pipeline, const siginfo_t &signal) {
  sd_notify(0, "STOPPING=1");
  spdlog::info("{}: storing what is left, for {} s at most", describe(signal), flush_grace.count());
  pipeline.note("stop", describe(signal));
  const auto outcome = pipeline.stop(flush_grace);
  spdlog::info("stopped: {} events stored, {} refused by the database, {} lost in the kernel",
               outcome.writer.written, outcome.writer.rejected, outcome.kernel_lost);
  if (outcome.waiting != 0) spdlog::warn("{} entries wait in the spool for the next start", outcome.waiting);
  return 0;
}

}  // namespace

int run(const ConfigFile &file) {
  const auto config = load_config(file);
  if (!config) return report(config.error());
  set_log_level(config->log.level);
  for (const auto &sentence : without_effect(*config)) spdlog::warn(sentence);

  const sigset_t signals = block_signals();
  confine::protect_process();
  Readiness readiness;
  auto pipeline = Pipeline::start(
      *config, [&readiness](const auto &hooks, const auto &report) { readiness.hear(hooks, report); });
  if (!pipeline) return report(pipeline.error());
  return stop(**pipeline, wait_for_stop(signals, file, readiness, **pipeline));
}

}  // namespace iptrackd::app
