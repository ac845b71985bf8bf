// Catalog: the segments that there are, what of them may be read, what is acknowledged, and which are
// deleted. Writer and reader meet here and nowhere else.
//
// A segment is deleted only when all of it is acknowledged, oldest first, never the newest: when it has been
// acknowledged for `retain`, or earlier when the writer needs room.
//
// Thread-safe. The system calls made under its lock are those that delete.
#ifndef IPTRACKD_SPOOL_CATALOG_H
#define IPTRACKD_SPOOL_CATALOG_H

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

#include "core/batch.h"
#include "spool/directory.h"
#include "spool/io.h"

namespace iptrackd::spool {

using SteadyClock = std::chrono::steady_clock;

struct Segment {
  std::uint64_t serial = 0;  // tells files of one name apart; given by the catalog
  std::uint64_t first_index = 0;
  std::uint64_t next_index = 0;  // behind its last intact record
  std::uint64_t begin = 0;       // offset of the first record; 0: unknown, as the header is damaged
  std::uint64_t readable = 0;    // bytes that may be read
  std::uint64_t size = 0;        // bytes that the file takes; more, where a torn end could not be cut off
  std::uint64_t salt = 0;
  Position previous;             // as the header has it
  std::uint64_t last_token = 0;  // of its last intact record; 0: it has none
  std::shared_ptr<const Origin> origin;
  std::optional<SteadyClock::time_point> acknowledged_since;

  // Set where a catalog hands it out:
  std::uint64_t limit = 0;  // the first index of the segment that follows
  bool newest = false;
};

class Catalog {
 public:
  struct Room {
    std::uint64_t total = 0;           // bytes of all segments
    std::uint64_t unacknowledged = 0;  // and of those that are not wholly acknowledged
  };

  // SEGMENTS by rising first index; NEXT_INDEX follows what they hold. IO
  // and DIRECTORY must outlive it.
  struct Acknowledged {
    Position position;
    std::chrono::milliseconds age;  // since it was written
  };

  Catalog(Io &io, const Directory &directory, std::chrono::milliseconds retain, std::deque<Segment> segments,
          std::uint64_t next_index, const Acknowledged &acknowledged);

  // The writer's side.
  void add(Segment segment);  // the newest from now on; replaces one of the same first index
  void publish(std::uint64_t next_index, std::uint64_t readable, std::uint64_t size, std::uint64_t token);
  void set_synced(std::uint64_t index);
  [[nodiscard]] std::uint64_t synced() const;
  [[nodiscard]] Room room() const;
  // Deletes acknowledged segments until SIZE more bytes make at most LIMIT; false: they do not.
  bool make_room(std::uint64_t size, std::uint64_t limit);
  void close();

  // The reader's side.
  // The segment that holds INDEX, or ends there and is the newest; nullopt: INDEX is not within what is held.
  [[nodiscard]] std::optional<Segment> find(std::uint64_t index) const;
  [[nodiscard]] Position first() const;
  [[nodiscard]] std::uint64_t next_index() const;
  [[nodiscard]] Position acknowledged() const;
  void acknowledge(Position position);
  void expire();
  enum class Wait : std::uint8_t { more, closed, late };
  // Until there is a record INDEX, or nothing more will come, or UNTIL, or STOP.
  [[nodiscard]] Wait wait(std::uint64_t index, SteadyClock::time_point until,
                          const std::stop_token &stop) const;

 private:
  [[nodiscard]] Segment handed_out(std::size_t at) const;
  [[nodiscard]] bool is_acknowledged(std::size_t at) const;
  bool drop_oldest();
  void mark_acknowledged(SteadyClock::time_point since);
  void expire_locked();

  Io &io_;
  const Directory &directory_;
  const std::chrono::milliseconds retain_;

  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  // Guarded by mutex_ from here on.
  std::deque<Segment> segments_;  // empty until the first could be made
  Position acknowledged_;
  std::uint64_t next_index_;
  std::uint64_t total_ = 0;
  std::uint64_t synced_ = 0;
  std::uint64_t serials_ = 0;
  bool closed_ = false;
};

}  // namespace iptrackd::spool

#endif
