#include "pam/fifo_reader.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "core/clock.h"

namespace iptrackd::pam {
namespace {

using Steady = std::chrono::steady_clock;

// A callback needs a few microseconds from its open() to its write(). After this long a silence no one is
// left that opened the FIFO before its name was taken away, save those that wait for room; these get room, or
// see it closed.
constexpr std::chrono::milliseconds last_writers{20};
constexpr int most_last_rounds = 50;

// All zero, as the callback has it, when the kernel does not tell.
std::array<std::uint8_t, 16> read_boot_id() {
  std::array<std::uint8_t, 16> id{};
  std::string text;
  std::getline(std::ifstream{"/proc/sys/kernel/random/boot_id"} >> std::ws, text);
  std::erase(text, '-');
  if (text.size() != 2 * id.size()) return id;
  for (std::size_t index = 0; index < id.size(); ++index) {
    id[index] = static_cast<std::uint8_t>(std::strtoul(text.substr(2 * index, 2).c_str(), nullptr, 16));
  }
  return id;
}

Moment moment(const std::array<std::uint8_t, 16> &boot_id) noexcept {
  return {boot_time_ns(), unix_time_us(), boot_id};
}

void add(std::atomic<std::uint64_t> &counter, std::uint64_t count = 1) noexcept {
  counter.fetch_add(count, std::memory_order_relaxed);
}

}  // namespace

Result<std::unique_ptr<FifoReader>> FifoReader::create(Options options, Fd inherited) {
  Leftovers leftovers{options.path};
  if (auto usable = leftovers.check(); !usable) return tl::unexpected{usable.error()};
  auto fifo = inherited ? Fifo::adopt(options.path, std::move(inherited), options.pipe_bytes)
                        : Fifo::open(options.path, options.pipe_bytes);
  if (!fifo) return tl::unexpected{fifo.error()};
  Fd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!wake) return fail_errno("cannot create an eventfd");
  return std::unique_ptr<FifoReader>{
      new FifoReader{std::move(options), std::move(*fifo), std::move(leftovers), std::move(wake)}};
}

FifoReader::FifoReader(Options options, Fifo fifo, Leftovers leftovers, Fd wake)
    : options_{std::move(options)},
      fifo_{std::move(fifo)},
      leftovers_{std::move(leftovers)},
      wake_{std::move(wake)},
      boot_id_{read_boot_id()} {}

void FifoReader::run(Pool &pool, const std::stop_token &stop) {
  const std::stop_callback wake_up{stop, [this] { ::eventfd_write(wake_.get(), 1); }};
  auto next_scan = Steady::now();
  while (!stop.stop_requested()) {
    // Leftovers first: what is older comes earlier.
    tidy();
    if (Steady::now() >= next_scan) {
      take_leftovers(pool, stop);
      next_scan = Steady::now() + options_.rescan;
    }
    drain(pool, stop);
    wait(options_.tick);
  }
  empty_at_stop(pool, stop);
  pool.finish(Pool::Source::pam);
}

void FifoReader::wait(std::chrono::milliseconds longest) const noexcept {
  std::array<pollfd, 2> watched{{{fifo_.fd(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
  static_cast<void>(::poll(watched.data(), watched.size(), static_cast<int>(longest.count())));
}

// Reads until the pipe is empty, then tells the pool up to when that is everything: a record is written
// before its login goes on, so what was written before an empty read began has been read.
void FifoReader::drain(Pool &pool, const std::stop_token &stop) {
  for (;;) {
    const std::uint64_t before = boot_time_ns();
    const auto space = stream_.space();
    const ssize_t size = ::read(fifo_.fd(), space.data(), space.size());
    if (size > 0) {
      stream_.filled(static_cast<std::size_t>(size));
      take_records(pool, stop, RecordStream::Tail::open);
      continue;
    }
    if (size < 0 && errno == EINTR) continue;
    // Records are written whole: the rest of one that is not here now will never come.
    take_records(pool, stop, RecordStream::Tail::closed);
    pool.advance(Pool::Source::pam, before);
    return;
  }
}

void FifoReader::take_records(Pool &pool, const std::stop_token &stop, RecordStream::Tail tail) {
  const Moment now = moment(boot_id_);
  while (const auto record = stream_.next(tail)) {
    EventPtr event = pool.acquire(stop);
    if (!event) {
      leave(*record);
    } else if (parse_record(*record, now, *event)) {
      pool.submit(Pool::Source::pam, std::move(event));
      add(counters_.records);
    } else {
      ++unparsed_records_;
    }
  }
  counters_.garbage_bytes.store(stream_.garbage_bytes(), std::memory_order_relaxed);
  counters_.bad_records.store(stream_.damaged_records() + unparsed_records_, std::memory_order_relaxed);
}

void FifoReader::take_leftovers(Pool &pool, const std::stop_token &stop) {
  const Moment now = moment(boot_id_);
  const auto bad = leftovers_.visit([&](Bytes record, std::uint64_t ticket) {
    EventPtr event = pool.acquire(stop);
    if (!event) return Leftovers::Verdict::later;
    if (!parse_record(record, now, *event)) return Leftovers::Verdict::bad;
    event->leftover = ticket;
    pool.submit(Pool::Source::pam, std::move(event));
    add(counters_.leftovers);
    return Leftovers::Verdict::taken;
  });
  add(counters_.bad_leftovers, bad);
}

void FifoReader::empty_at_stop(Pool &pool, const std::stop_token &stop) {
  fifo_.remove();
  for (int round = 0; round < most_last_rounds; ++round) {
    drain(pool, stop);
    pollfd watched{fifo_.fd(), POLLIN, 0};
    if (::poll(&watched, 1, static_cast<int>(last_writers.count())) <= 0) return;
  }
}

void FifoReader::settle(const Event &record) {
  if (record.leftover == 0) return;
  const std::scoped_lock lock{settled_mutex_};
  settled_.push_back(record.leftover);
}

void FifoReader::tidy() {
  std::vector<std::uint64_t> settled;
  {
    const std::scoped_lock lock{settled_mutex_};
    settled.swap(settled_);
  }
  for (const std::uint64_t ticket : settled) leftovers_.settle(ticket);
}

void FifoReader::leave(Bytes record) {
  add(leftovers_.leave(record) ? counters_.left_again : counters_.lost_at_stop);
}

FifoReader::Counts FifoReader::counts() const noexcept {
  const auto value = [](const std::atomic<std::uint64_t> &counter) {
    return counter.load(std::memory_order_relaxed);
  };
  return {value(counters_.records),       value(counters_.leftovers),     value(counters_.bad_records),
          value(counters_.bad_leftovers), value(counters_.garbage_bytes), value(counters_.left_again),
          value(counters_.lost_at_stop)};
}

}  // namespace iptrackd::pam
