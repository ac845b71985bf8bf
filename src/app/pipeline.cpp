#include "app/pipeline.h"

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "app/activation.h"
#include "app/chronicle.h"
#include "app/confinement.h"
#include "app/health.h"
#include "app/log.h"
#include "app/loss_watch.h"
#include "app/settings.h"
#include "app/spooler.h"
#include "app/whitelist_keeper.h"
#include "control/server.h"
#include "sink/rejects.h"

namespace iptrackd::app {
namespace {

template <typename Body>
std::jthread named_thread(const char *name, Body body) {
  return std::jthread{[name, body = std::move(body)](std::stop_token stop) mutable {
    pthread_setname_np(pthread_self(), name);
    body(std::move(stop));
  }};
}

// Those who empty the rings do little, and must do it in time, however busy the host is. Threads inherit it.
// Where this is refused they are like all others.
constexpr int nice_of_those_who_hurry = -10;
constexpr int nice_of_others = 0;
void set_nice(int nice) {
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), nice);
}

sink::Writer::Observer log_writer(std::atomic<bool> &failing) {
  return {
      .recovered =
          [&failing] {
            failing = false;
            spdlog::info("the database takes rows again");
          },
      .failed =
          [&failing](const Error &error) {
            failing = true;
            spdlog::warn("{}; what happens meanwhile is kept and stored later", printable(error.message()));
          },
      .written = [](std::size_t events) { spdlog::debug("stored {} events", events); },
      .rejected =
          [](const BatchView &, const Error &error) {
            spdlog::error("the database refuses an entry, which is set aside: {}",
                          printable(error.message()));
          },
      .moved = [] { spdlog::info("a batch that was given up had been stored after all"); },
      .noticed = [](const HostEvent &event) { spdlog::warn("{}: {}", event.kind, printable(event.detail)); },
  };
}

void warn_of_blind_restarts(const loader::Tracer &tracer) {
  if (!tracer.no_pins().empty()) {
    spdlog::warn("nothing will be recorded while the daemon restarts: {}", printable(tracer.no_pins()));
  }
  for (const auto *status : tracer.unkept_hooks()) {
    spdlog::warn("this kernel cannot keep {} while the daemon restarts", status->target);
  }
}

void warn_of_own_root(const loader::Whitelist &whitelist) {
  if (whitelist.own_root().empty()) return;
  spdlog::warn("the whitelist's paths are those of this process's own mount namespace: {}",
               whitelist.own_root());
}

// What is opened before anything runs.
struct Parts {
  Origin origin;
  loader::Redactor redactor;
  std::unique_ptr<pam::FifoReader> fifo;
  std::unique_ptr<sink::Sink> sink;
  std::unique_ptr<loader::Tracer> tracer;
  std::unique_ptr<loader::Whitelist> whitelist;
  std::unique_ptr<spool::Spool> spool;
};

Result<void> check_sink(sink::Sink &sink, const spool::Spool &spool, const Origin &origin) {
  const auto opened = sink.open(spool.id(), origin, {});
  // The writer will say so, and try again.
  if (!opened && opened.error().fault() == Fault::connection) return {};
  return opened.map([](const auto &) {});
}

// Opened in an order in which what fails leaves nothing behind; the hooks last but for what needs them.
Result<Parts> open_parts(const config::Config &config) {
  auto origin = origin_of(config);
  if (!origin) return tl::unexpected{origin.error()};
  auto redactor = make_redactor(config);
  if (!redactor) return tl::unexpected{redactor.error()};
  auto inherited = inherited_fifo(config.pam.fifo_file);
  if (!inherited) return tl::unexpected{inherited.error()};
  auto fifo = pam::FifoReader::create(fifo_options(config), std::move(*inherited));
  if (!fifo) return tl::unexpected{fifo.error()};
  auto tracer = loader::Tracer::start(daemon_tracer_options(config));
  if (!tracer) return tl::unexpected{tracer.error()};
  const auto give_up = [&tracer](const Error &error) {
    (*tracer)->abandon();
    return tl::unexpected{error};
  };
  auto whitelist = loader::Whitelist::open((*tracer)->whitelist_maps());
  if (!whitelist) return give_up(whitelist.error());
  auto spool = spool::Spool::open(spool_options(config, *origin, **tracer));
  if (!spool) return give_up(spool.error());
  auto sink = make_sink(config);
  if (auto usable = check_sink(*sink, **spool, *origin); !usable) return give_up(usable.error());
  return Parts{std::move(*origin), std::move(*redactor),  std::move(*fifo), std::move(sink),
               std::move(*tracer), std::move(*whitelist), std::move(*spool)};
}

}  // namespace

// In the order of the pipeline; threads last, so that they end before what they use.
struct Pipeline::Stages {
  Stages(const config::Config &config, Parts parts, SelfTestWatch::Observer on_self_test)
      : redactor{std::move(parts.redactor)},
        fifo{std::move(parts.fifo)},
        sink{std::move(parts.sink)},
        tracer{std::move(parts.tracer)},
        spool{std::move(parts.spool)},
        pool{pool_options(config, *spool)},
        ring_reader{*tracer, pool, redactor, ring_reader_options(config, *spool)},
        rejects{rejects_file(config)},
        writer{*spool,
               *sink,
               parts.origin,
               writer_options(config),
               log_writer(sink_failing),
               [this](const BatchView &view, const Error &reason) { return rejects.append(view, reason); }},
        spooler{pool, *spool, ring_reader, *fifo, witness_options(config, *tracer)},
        loss_watch{*tracer, ring_reader, *fifo, *spool},
        self_test_watch{*tracer, *spool, {tracer_options(config).probes, {}}, std::move(on_self_test)},
        whitelist{std::move(parts.whitelist), *spool},
        origin{parts.origin},
        health{{origin, *tracer, pool, *spool, writer, loss_watch, sink_failing}} {}

  // Opens the control socket; the last that can fail.
  Result<void> open_control(const std::string &path) {
    auto opened = control::Server::open(
        path, [this](std::string_view request, const control::Peer &peer) -> Result<std::string> {
          constexpr std::string_view of_whitelist = "whitelist ";
          if (request == "status") return health.json();
          if (request.starts_with(of_whitelist))
            return whitelist.answer(request.substr(of_whitelist.size()), peer);
          return fail(Fault::usage, "the daemon knows no such request; is it of another version?");
        });
    if (!opened) return tl::unexpected{opened.error()};
    control = std::move(*opened);
    return {};
  }

  loader::Redactor redactor;
  std::unique_ptr<pam::FifoReader> fifo;
  std::unique_ptr<sink::Sink> sink;
  std::unique_ptr<loader::Tracer> tracer;
  std::unique_ptr<spool::Spool> spool;
  Pool pool;
  loader::RingReader ring_reader;
  std::atomic<bool> sink_failing = false;
  sink::Rejects rejects;
  sink::Writer writer;
  Spooler spooler;
  LossWatch loss_watch;
  SelfTestWatch self_test_watch;
  WhitelistKeeper whitelist;
  Origin origin;
  Health health;
  std::unique_ptr<control::Server> control;

  std::stop_source give_up;
  std::promise<sink::Writer::Summary> written;
  std::jthread writer_thread, spooler_thread, ring_thread, fifo_thread, loss_thread, self_test_thread;
  std::jthread control_thread, whitelist_thread;

  // The self-test alone is given time for its first turn: it looks at the host from where a thread without
  // privileges cannot go.
  void start_self_test() {
    self_test_thread = named_thread("self-test", [this](std::stop_token stop) {
      self_test_watch.run(std::move(stop), [this] {
        if (auto confined = confine_thread(*tracer); !confined)
          spdlog::error("the self-test keeps its privileges: {}", confined.error().message());
      });
    });
  }

  void start_threads() {
    writer_thread = named_thread(
        "sink-writer", [this](std::stop_token) { written.set_value(writer.run(give_up.get_token())); });
    fifo_thread = named_thread("fifo-reader", [this](const std::stop_token &stop) { fifo->run(pool, stop); });
    loss_thread = named_thread("loss-watch", [this](std::stop_token stop) {
      loss_watch.run(std::move(stop), [this] { sink->tell(health.vitals()); });
    });
    whitelist_thread =
        named_thread("whitelist", [this](std::stop_token stop) { whitelist.run(std::move(stop)); });
    control_thread = named_thread("control", [this](const std::stop_token &stop) { control->run(stop); });
  }

  void start_carriers() {
    spooler_thread = named_thread("spooler", [this](std::stop_token) { spooler.run(); });
    ring_thread = named_thread("ring-reader", [this](std::stop_token stop) {
      ring_reader.run(std::move(stop), give_up.get_token());
    });
  }

  // Privileges are a thread's own, and a hurry takes one: who is started when decides who has them.
  Result<void> start() {
    start_self_test();
    set_nice(nice_of_those_who_hurry);
    if (auto confined = confine_thread(*tracer); !confined) return confined;
    start_carriers();
    set_nice(nice_of_others);
    start_threads();
    return {};
  }
};

Pipeline::Pipeline(std::unique_ptr<Stages> stages) noexcept : stages_{std::move(stages)} {}

Pipeline::~Pipeline() {
  if (stages_->writer_thread.joinable()) (void)stop({});
}

Result<std::unique_ptr<Pipeline>> Pipeline::start(const config::Config &config,
                                                  SelfTestWatch::Observer on_self_test) {
  auto parts = open_parts(config);
  if (!parts) return tl::unexpected{parts.error()};
  warn_of_blind_restarts(*parts->tracer);
  if (!config.whitelist.network.empty() || !config.whitelist.exec.empty())
    warn_of_own_root(*parts->whitelist);
  auto stages = std::make_unique<Stages>(config, std::move(*parts), std::move(on_self_test));
  if (auto opened = stages->open_control(config.control.socket); !opened) {
    stages->tracer->abandon();
    return tl::unexpected{opened.error()};
  }
  note_beginning(*stages->spool, *stages->tracer, config.probes);
  if (auto applied = stages->whitelist.apply(config.whitelist, "the configuration at the start"); !applied) {
    stages->tracer->abandon();
    return tl::unexpected{applied.error()};
  }
  if (auto started = stages->start(); !started) {
    stages->tracer->abandon();
    return tl::unexpected{started.error()};
  }
  return std::unique_ptr<Pipeline>{new Pipeline{std::move(stages)}};
}

bool Pipeline::is_moving() noexcept {
  const auto read = std::exchange(rounds_of_ring_reader_, stages_->ring_reader.rounds());
  const auto spooled = std::exchange(rounds_of_spooler_, stages_->spooler.rounds());
  return read != rounds_of_ring_reader_ && spooled != rounds_of_spooler_;
}

void Pipeline::note(std::string kind, std::string detail) {
  app::note(*stages_->spool, std::move(kind), std::move(detail));
}

Result<void> Pipeline::reload(const config::Config &config, const std::string &by) {
  return stages_->whitelist.apply(config.whitelist, by);
}

const std::vector<loader::HookStatus> &Pipeline::hooks() const noexcept {
  return stages_->tracer->hooks();
}

void Pipeline::give_up() noexcept {
  stages_->give_up.request_stop();
}

Pipeline::Outcome Pipeline::stop(std::chrono::milliseconds grace) {
  Stages &stages = *stages_;
  // From the left to the right: no new events, then each stage hands on what it has. The last losses are
  // booked before the spool is closed.
  stages.control_thread.request_stop();
  stages.whitelist_thread.request_stop();
  stages.self_test_thread.request_stop();
  stages.control_thread.join();
  stages.self_test_thread.join();
  stages.whitelist_thread.join();
  stages.tracer->leave();
  stages.loss_thread.request_stop();
  stages.loss_thread.join();
  stages.fifo_thread.request_stop();
  stages.ring_thread.request_stop();
  stages.ring_thread.join();
  stages.fifo_thread.join();
  stages.spooler_thread.join();
  stages.fifo->tidy();
  auto written = stages.written.get_future();
  wait_for_sink(written, grace);
  give_up();
  Outcome outcome{written.get(), stages.loss_watch.kernel_lost(), stages.spool->usage().waiting};
  stages.writer_thread.join();
  return outcome;
}

// What is in the spool is safe: it is worth waiting only as long as the database takes it.
void Pipeline::wait_for_sink(const std::future<sink::Writer::Summary> &written,
                             std::chrono::milliseconds grace) const {
  constexpr std::chrono::milliseconds step{20};
  const auto deadline = std::chrono::steady_clock::now() + grace;
  while (written.wait_for(step) != std::future_status::ready) {
    if (stages_->sink_failing || std::chrono::steady_clock::now() > deadline) return;
  }
}

}  // namespace iptrackd::app
