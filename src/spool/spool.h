// Spool: what is on its way to the database, durable from the moment it is written.
//
//   pool ──append──> Spool (segment files) ──read──> sink
//                      └<──acknowledge──────────────┘
//
// Two threads at a time: a writer (append, sync_if_due, until_sync, close) and a reader (what BatchSource
// has). book(), note() and usage() any thread. The parts: directory.h (lock, UUID), segment.h (the format),
// recovery.h (what a start finds), appender.h (the writer's side), reader.h, catalog.h (where they meet).
#ifndef IPTRACKD_SPOOL_SPOOL_H
#define IPTRACKD_SPOOL_SPOOL_H

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>

#include "core/batch_source.h"
#include "core/event.h"
#include "core/host_event.h"
#include "core/loss.h"
#include "core/result.h"
#include "spool/acknowledged.h"
#include "spool/appender.h"
#include "spool/catalog.h"
#include "spool/damage_book.h"
#include "spool/directory.h"
#include "spool/io.h"
#include "spool/options.h"
#include "spool/reader.h"
#include "spool/recovery.h"

namespace iptrackd::spool {

struct Usage {
  std::uint64_t bytes = 0;     // of all segments
  std::uint64_t waiting = 0;   // records not acknowledged yet
  std::uint64_t appended = 0;  // records written since open()
  std::uint64_t dropped = 0;   // events that could not be written since open(); they are on the books
  std::string last_error;      // empty: none since open()
};

class Spool final : public BatchSource {
 public:
  // Creates the spool where there is none, else recovers it: every intact record is held, and damage is
  // booked as a loss. A disk that takes nothing now is no fault: what comes is lost and counted until it
  // does. Fault environment: the directory is not safe or used by another daemon, or cannot be read. Fault
  // usage: the options make no sense. IO must outlive the spool.
  [[nodiscard]] static Result<std::unique_ptr<Spool>> open(const Options &options);
  [[nodiscard]] static Result<std::unique_ptr<Spool>> open(const Options &options, Io &io);

  // What open() found.
  [[nodiscard]] const Recovery &recovery() const noexcept { return recovery_; }

  // Writes what was booked and noted, then EVENTS. What they are is in the spool, or on the books, when it
  // returns; logins are on the disk. EVENTS may be empty.
  void append(std::span<const Event *const> events) { appender_.append(events); }
  // Syncs what has not been synced for sync_interval; to be called every few ms.
  void sync_if_due() { appender_.sync_if_due(); }
  // How long sync_if_due() may wait; an hour where nothing is to be synced.
  [[nodiscard]] std::chrono::milliseconds until_sync() const { return appender_.until_sync(); }
  // Writes what is booked, syncs, and marks a clean end; the last call of the writer. Without it the next
  // open() finds no clean end. read() then gives the rest, and `ended`.
  void close() { appender_.close(); }

  // Written with the next append(); kept as long as that fails.
  void book(const Loss &loss) { appender_.outbox().book(loss); }
  // At most Outbox::most_host_events wait; further ones are a loss.
  void note(HostEvent event) { appender_.outbox().note(std::move(event)); }
  [[nodiscard]] Usage usage() const;

  [[nodiscard]] std::string id() const override;
  [[nodiscard]] Position acknowledged() const override { return catalog_.acknowledged(); }
  [[nodiscard]] Position first() const override { return catalog_.first(); }
  [[nodiscard]] Lineage lineage(Position position) const override { return reader_.lineage(position); }
  [[nodiscard]] Result<void> fork() override;
  [[nodiscard]] Result<Read> read(Position from, const BatchLimits &limits, Batch &batch,
                                  const std::stop_token &stop) override {
    return reader_.read(from, limits, batch, stop);
  }
  // A position that is not within what is held is ignored.
  void acknowledge(Position position) override;

 private:
  struct Parts;
  Spool(Io &io, const Options &options, Parts parts);

  Io &io_;
  Directory directory_;
  AcknowledgedFile acknowledged_file_;
  Recovery recovery_;
  DamageBook damages_;
  Catalog catalog_;
  Appender appender_;
  mutable Reader reader_;

  mutable std::mutex identity_mutex_;
  Identity identity_;  // guarded by identity_mutex_
};

}  // namespace iptrackd::spool

#endif
