#include "app/pipeline.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "app/log.h"
#include "app/loss_watch.h"
#include "app/settings.h"

namespace iptrackd::app {
namespace {

template <typename Body>
std::jthread named_thread(const char *name, Body body) {
  return std::jthread{[name, body = std::move(body)](std::stop_token stop) mutable {
    pthread_setname_np(pthread_self(), name);
    body(std::move(stop));
  }};
}

sink::Writer::Observer log_writer() {
  return {
      .recovered = [] { spdlog::info("the database takes rows again"); },
      .failed =
          [](const Error &error) {
            spdlog::warn("{}; what happens meanwhile is kept and stored later", printable(error.message()));
          },
      .written = [](std::size_t events) { spdlog::debug("stored {} events", events); },
      .rejected =
          [](const Event &event, const Error &error) {
            spdlog::error("the database refuses an event of kind {}, which is lost: {}",
                          kind_name(event.kind), printable(error.message()));
          },
  };
}

}  // namespace

// In the order of the pipeline; threads last, so that they end before what they use.
struct Pipeline::Stages {
  Stages(const config::Config &config, loader::Redactor made_redactor,
         std::unique_ptr<pam::FifoReader> made_fifo, std::unique_ptr<sink::Sink> made_sink,
         std::unique_ptr<loader::Tracer> made_tracer, SelfTestWatch::Observer on_self_test)
      : redactor{std::move(made_redactor)},
        pool{[&] {
          auto options = pool_options(config);
          options.on_full = [](std::chrono::seconds waited) {
            spdlog::warn("no free record in the pool for {} s: the sink does not keep up", waited.count());
          };
          return options;
        }()},
        fifo{std::move(made_fifo)},
        sink{std::move(made_sink)},
        tracer{std::move(made_tracer)},
        ring_reader{*tracer, pool, redactor, ring_reader_options(config)},
        writer{pool, *sink, writer_options(config), log_writer()},
        loss_watch{*tracer, ring_reader, *fifo, writer},
        self_test_watch{*tracer, writer, {tracer_options(config).probes, {}}, std::move(on_self_test)} {}

  loader::Redactor redactor;
  Pool pool;
  std::unique_ptr<pam::FifoReader> fifo;
  std::unique_ptr<sink::Sink> sink;
  std::unique_ptr<loader::Tracer> tracer;
  loader::RingReader ring_reader;
  sink::Writer writer;
  LossWatch loss_watch;
  SelfTestWatch self_test_watch;

  std::stop_source give_up;
  std::promise<sink::Writer::Summary> written;
  std::jthread writer_thread, ring_thread, fifo_thread, loss_thread, self_test_thread;

  void start_threads() {
    writer_thread = named_thread(
        "sink-writer", [this](std::stop_token) { written.set_value(writer.run(give_up.get_token())); });
    ring_thread = named_thread("ring-reader", [this](std::stop_token stop) {
      ring_reader.run(std::move(stop), give_up.get_token());
    });
    fifo_thread = named_thread("fifo-reader", [this](const std::stop_token &stop) { fifo->run(pool, stop); });
    loss_thread =
        named_thread("loss-watch", [this](std::stop_token stop) { loss_watch.run(std::move(stop)); });
    self_test_thread =
        named_thread("self-test", [this](std::stop_token stop) { self_test_watch.run(std::move(stop)); });
  }
};

Pipeline::Pipeline(std::unique_ptr<Stages> stages) noexcept : stages_{std::move(stages)} {}

Pipeline::~Pipeline() {
  if (stages_->writer_thread.joinable()) (void)stop({});
}

Result<std::unique_ptr<Pipeline>> Pipeline::start(const config::Config &config,
                                                  SelfTestWatch::Observer on_self_test) {
  auto redactor = make_redactor(config);
  if (!redactor) return tl::unexpected{redactor.error()};
  auto fifo = pam::FifoReader::create(fifo_options(config));
  if (!fifo) return tl::unexpected{fifo.error()};
  auto sink = make_sink(config);
  if (!sink) return tl::unexpected{sink.error()};
  auto tracer = loader::Tracer::start(tracer_options(config));
  if (!tracer) return tl::unexpected{tracer.error()};
  if (auto opened = (*sink)->open({}); !opened) return tl::unexpected{opened.error()};

  auto stages = std::make_unique<Stages>(config, std::move(*redactor), std::move(*fifo), std::move(*sink),
                                         std::move(*tracer), std::move(on_self_test));
  stages->start_threads();
  return std::unique_ptr<Pipeline>{new Pipeline{std::move(stages)}};
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
  // booked before the writer hears that nothing more will come.
  stages.self_test_thread.request_stop();
  stages.self_test_thread.join();
  stages.tracer->detach();
  stages.loss_thread.request_stop();
  stages.loss_thread.join();
  stages.fifo_thread.request_stop();
  stages.ring_thread.request_stop();
  auto written = stages.written.get_future();
  if (written.wait_for(grace) != std::future_status::ready) give_up();
  Outcome outcome{written.get(), stages.loss_watch.kernel_lost()};
  stages.ring_thread.join();
  stages.fifo_thread.join();
  stages.writer_thread.join();
  return outcome;
}

}  // namespace iptrackd::app
