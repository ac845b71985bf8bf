#include "spool/spool.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/fd.h"
#include "spool/segment.h"

namespace iptrackd::spool {

struct Spool::Parts {
  Directory directory;
  AcknowledgedFile acknowledged_file;
  Identity identity;
  Found found;
  Position acknowledged;
};

namespace {

Io &real_io() {
  static Io io;
  return io;
}

// The spool's own, or a new one, durable before the first record.
Result<Identity> settle_identity(Io &io, const Directory &directory, std::optional<Identity> identity,
                                 std::optional<std::uint64_t> salt) {
  if (identity) return *identity;
  auto uuid = new_uuid(io);
  if (!uuid) return tl::unexpected{uuid.error()};
  if (!salt) {
    const auto made = new_salt(io);
    if (!made) return tl::unexpected{made.error()};
    salt = *made;
  }
  const Identity made{std::move(*uuid), *salt};
  if (auto set = directory.set_identity(made); !set) return tl::unexpected{set.error()};
  return made;
}

// A killed daemon may have left records that are not on the disk yet; they must be before they are delivered.
void sync_newest(Io &io, const Directory &directory, const std::deque<Segment> &segments) {
  if (segments.empty()) return;
  const std::string name = segment_name(segments.back().first_index);
  const Fd fd{io.open(directory.fd(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0)};
  if (fd) static_cast<void>(io.fdatasync(fd.get()));
}

// What is known of the acknowledged position may be older than what is held.
Position clamp(std::optional<Position> acknowledged, const std::deque<Segment> &segments) {
  if (segments.empty()) return acknowledged.value_or(Position{});
  const Position first{segments.front().first_index, segments.front().previous.token};
  return acknowledged && acknowledged->index >= first.index ? *acknowledged : first;
}

// Books what nobody has booked. Records that were acknowledged are stored elsewhere: they are lost only if
// that place loses them, which the reader finds when it has to read them again.
std::vector<Damage> book_damages(DamageBook &book, const Found &found, std::uint64_t acknowledged) {
  for (const Range &range : found.booked) book.know(range);
  std::vector<Damage> booked;
  for (Damage damage : found.damages) {
    if (damage.first_index < acknowledged && damage.count.value_or(0) > 0) {
      const std::uint64_t stored = std::min(acknowledged - damage.first_index, *damage.count);
      if (stored == *damage.count) continue;
      damage.first_index += stored;
      *damage.count -= stored;
    }
    for (Damage &part : book.find(damage)) booked.push_back(std::move(part));
  }
  return booked;
}

}  // namespace

Result<std::unique_ptr<Spool>> Spool::open(const Options &options) {
  return open(options, real_io());
}

Result<std::unique_ptr<Spool>> Spool::open(const Options &options, Io &io) {
  if (options.max_size < least_max_size)
    return fail(Fault::usage,
                "the spool's size must be at least " + std::to_string(least_max_size) + " bytes");
  auto directory = Directory::open(io, options.directory);
  if (!directory) return tl::unexpected{directory.error()};
  const auto files = directory->segments();
  if (!files) return tl::unexpected{files.error()};
  const auto known = directory->identity();
  if (!known) return tl::unexpected{known.error()};
  auto acknowledged = AcknowledgedFile::open(io, *directory);
  if (!acknowledged) return tl::unexpected{acknowledged.error()};
  auto found =
      recover(io, *directory, options, *files, *known ? std::optional{(*known)->salt} : std::nullopt);
  if (!found) return tl::unexpected{found.error()};
  found->recovery.created = !*known && files->empty();
  auto identity = settle_identity(io, *directory, *known, found->salt);
  if (!identity) return tl::unexpected{identity.error()};

  const Position position = clamp(acknowledged->position(), found->segments);
  // Only where the disk lost what it had promised to keep. No index is ever used twice.
  if (position.index > found->next_index) {
    found->next_index = position.index;
    found->last = position;
  }
  sync_newest(io, *directory, found->segments);
  return std::unique_ptr<Spool>{new Spool{io, options,
                                          Parts{std::move(*directory), std::move(*acknowledged),
                                                std::move(*identity), std::move(*found), position}}};
}

Spool::Spool(Io &io, const Options &options, Parts parts)
    : io_{io},
      directory_{std::move(parts.directory)},
      acknowledged_file_{std::move(parts.acknowledged_file)},
      recovery_{std::move(parts.found.recovery)},
      catalog_{io_,
               directory_,
               options.retain,
               std::move(parts.found.segments),
               parts.found.next_index,
               {parts.acknowledged, acknowledged_file_.age()}},
      appender_{
          io_,      directory_,
          catalog_, damages_,
          options,  {parts.found.next_index, parts.found.last, parts.identity.salt, recovery_.counters}},
      reader_{io_, directory_, catalog_, damages_, options.read_patience},
      identity_{std::move(parts.identity)} {
  catalog_.set_synced(parts.found.next_index);
  recovery_.damages = book_damages(damages_, parts.found, parts.acknowledged.index);
  appender_.begin();
}

std::string Spool::id() const {
  const std::lock_guard lock{identity_mutex_};
  return identity_.uuid;
}

Result<void> Spool::fork() {
  auto uuid = new_uuid(io_);
  if (!uuid) return tl::unexpected{uuid.error()};
  const std::lock_guard lock{identity_mutex_};
  const Identity forked{std::move(*uuid), identity_.salt};
  if (auto set = directory_.set_identity(forked); !set) return set;
  identity_ = forked;
  return {};
}

void Spool::acknowledge(Position position) {
  if (position.index < catalog_.first().index || position.index > catalog_.next_index()) return;
  // Where it cannot be written, the database knows.
  static_cast<void>(acknowledged_file_.write(position));
  catalog_.acknowledge(position);
}

Usage Spool::usage() const {
  Usage usage;
  usage.bytes = catalog_.room().total;
  // The reader may move between the two looks.
  const std::uint64_t next = catalog_.next_index();
  usage.waiting = next - std::min(next, catalog_.acknowledged().index);
  usage.appended = appender_.written();
  usage.dropped = appender_.dropped();
  usage.last_error = appender_.last_error();
  return usage;
}

}  // namespace iptrackd::spool
