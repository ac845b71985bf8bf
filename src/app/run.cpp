// `iptrackd run`: the daemon.
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include <chrono>
#include <csignal>
#include <ctime>
#include <string>

#include "app/log.h"
#include "app/pipeline.h"
#include "app/settings.h"
#include "app/verbs.h"
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

void log_hooks(const Pipeline &pipeline) {
  std::size_t attached = 0;
  std::size_t refused = 0;
  for (const auto &status : pipeline.hooks()) {
    if (status.state == loader::HookState::attached) ++attached;
    if (status.state != loader::HookState::refused) continue;
    ++refused;
    spdlog::error("hook {} is refused, so there will be no {}: {}", status.target,
                  status.hook->purpose, printable(status.reason));
  }
  spdlog::info("ready: iptrackd {}, {} hooks attached, {} refused", IPTRACKD_VERSION, attached, refused);
}

void reload(const ConfigFile &file) {
  const auto config = load_config(file);
  if (!config) {
    spdlog::error("the configuration stays as it was: {}", config.error().message());
    return;
  }
  set_log_level(config->log.level);
  spdlog::info("reloaded {}: log.level is in force; other changes need a restart", file.path);
}

// Waits for the signal to stop; SIGHUP is served on the way.
int wait_for_stop(const sigset_t &signals, const ConfigFile &file) {
  for (;;) {
    const int signal = sigwaitinfo(&signals, nullptr);
    if (signal != SIGHUP) {
      if (signal > 0) return signal;
      continue;
    }
    sd_notify(0, "RELOADING=1");
    reload(file);
    sd_notify(0, "READY=1");
  }
}

int stop(Pipeline &pipeline, int signal) {
  sd_notify(0, "STOPPING=1");
  spdlog::info("{}: storing what is left, for {} s at most", signal == SIGINT ? "Ctrl-C" : "SIGTERM",
               flush_grace.count());
  const auto outcome = pipeline.stop(flush_grace);
  const auto &[written, rejected, unwritten, losses] = outcome.writer;
  spdlog::info("stopped: {} events stored, {} refused by the database, {} lost in the kernel, {} not stored",
               written, rejected, outcome.kernel_lost, unwritten);
  if (unwritten == 0) return 0;
  spdlog::error("{} events are lost: the database did not take them within {} s", unwritten,
                flush_grace.count());
  return 1;
}

}  // namespace

int run(const ConfigFile &file) {
  const auto config = load_config(file);
  if (!config) return report(config.error());
  set_log_level(config->log.level);
  for (const auto &sentence : without_effect(*config)) spdlog::warn(sentence);

  const sigset_t signals = block_signals();
  auto pipeline = Pipeline::start(*config);
  if (!pipeline) return report(pipeline.error());
  log_hooks(**pipeline);
  sd_notify(0, "READY=1");
  return stop(**pipeline, wait_for_stop(signals, file));
}

}  // namespace iptrackd::app
