// Appender: the writer's side. Turns events, losses and host events into records, and puts them at the end of
// the newest segment.
//
// What cannot be written is not tried again: whole records that made it into the file are kept, the torn rest
// is cut off, and the events among it become losses (stage "spool", cause "spool-full" or "write-failed").
// Losses, host events and bookings of damage wait for the next call. Where cutting off fails too, the segment
// is given up: the next one begins at the same index, so that nothing behind it there is ever taken for a
// record.
//
// One thread; outbox(), written(), dropped() and last_error() any thread.
#ifndef IPTRACKD_SPOOL_APPENDER_H
#define IPTRACKD_SPOOL_APPENDER_H

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "core/event.h"
#include "core/fd.h"
#include "spool/catalog.h"
#include "spool/damage_book.h"
#include "spool/directory.h"
#include "spool/io.h"
#include "spool/options.h"
#include "spool/outbox.h"
#include "spool/segment.h"

namespace iptrackd::spool {

class Appender {
 public:
  struct Start {
    std::uint64_t next_index = 0;
    Position last;  // behind the last record known
    std::uint64_t salt = 0;
    std::vector<Loss> counters;  // of this boot and ring generation
  };

  // All but START and OPTIONS must outlive it.
  Appender(Io &io, const Directory &directory, Catalog &catalog, DamageBook &damages, Options options,
           const Start &start);

  // Makes the first segment, whole and at once, with what waits to be booked.
  void begin();
  void append(std::span<const Event *const> events);
  void sync_if_due();
  [[nodiscard]] std::chrono::milliseconds until_sync() const;
  // Writes what waits, syncs, and marks the clean end. Nothing is appended afterwards.
  void close();

  [[nodiscard]] Outbox &outbox() noexcept { return outbox_; }
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }  // records
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }  // events
  [[nodiscard]] std::string last_error() const;

 private:
  enum class State : std::uint8_t { failed, full, kept };
  enum class Rank : std::uint8_t { network, important, books };
  struct Item {
    std::variant<const Event *, const Loss *, const HostEvent *, const Damage *> what;
    State state = State::failed;
  };
  struct RunEntry {
    std::size_t end;  // in buffer_
    std::size_t item;
    std::uint64_t token;
  };

  void collect(std::span<const Event *const> events);
  void write_items();
  [[nodiscard]] bool encode_run(std::size_t &next);
  [[nodiscard]] std::uint64_t encode_item(const Item &item, std::uint64_t index);
  [[nodiscard]] bool is_admitted(Rank rank);
  [[nodiscard]] static Rank rank_of(const Item &item);
  [[nodiscard]] int write_run();
  [[nodiscard]] int create();
  [[nodiscard]] int fill_file(const char *name);
  [[nodiscard]] int extend();
  void commit(std::size_t records);
  void settle();
  void lose_events();
  void begin_buffer();
  void sync();
  void finish_segment();
  void remember(const std::string &what, int code);

  using CounterKey = std::tuple<std::string, std::string, std::optional<Kind>, std::optional<std::uint32_t>>;
  void keep_counter(const Loss &loss);

  Io &io_;
  const Directory &directory_;
  Catalog &catalog_;
  DamageBook &damages_;
  const Options options_;
  const std::uint64_t segment_limit_;
  const std::uint64_t salt_;
  Outbox outbox_;

  Fd fd_;                   // the newest segment; none: the next run makes one
  std::uint64_t size_ = 0;  // of it, up to the last whole record
  std::uint64_t next_index_;
  Position last_;
  std::map<CounterKey, Loss> counters_;
  std::optional<SteadyClock::time_point> unsynced_since_;
  bool has_login_ = false;  // a login was written and not synced
  bool closed_ = false;

  // Of the append() that runs.
  std::vector<Item> items_;
  std::vector<Damage> taken_damages_;
  std::vector<Loss> taken_losses_;
  std::vector<HostEvent> taken_host_events_;
  std::string buffer_;
  std::size_t header_size_ = 0;  // of the header at the beginning of buffer_; 0: there is none
  std::vector<RunEntry> run_;
  Catalog::Room room_;
  int failure_ = 0;

  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> dropped_{0};
  mutable std::mutex error_mutex_;
  std::string last_error_;  // guarded by error_mutex_
};

}  // namespace iptrackd::spool

#endif
