#include "spool/appender.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "spool/codec.h"

namespace iptrackd::spool {
namespace {

// Bytes that only losses, host events and bookings of damage may use.
constexpr std::uint64_t reserve_of_books = 64U << 10;

bool is_network(Kind kind) {
  return kind == Kind::connect || kind == Kind::accept || kind == Kind::bind || kind == Kind::close;
}

bool is_login(Kind kind) {
  return kind == Kind::auth || kind == Kind::open_session || kind == Kind::close_session;
}

bool is_full(int code) {
  return code == ENOSPC || code == EDQUOT;
}

RecordType type_of(const Event & /*event*/) {
  return RecordType::event;
}
RecordType type_of(const HostEvent & /*event*/) {
  return RecordType::host_event;
}
RecordType type_of(const Loss & /*loss*/) {
  return RecordType::loss;
}
RecordType type_of(const Damage & /*damage*/) {
  return RecordType::loss;
}

}  // namespace

Appender::Appender(Io &io, const Directory &directory, Catalog &catalog, DamageBook &damages, Options options,
                   const Start &start)
    : io_{io},
      directory_{directory},
      catalog_{catalog},
      damages_{damages},
      options_{std::move(options)},
      segment_limit_{std::min(max_segment, options_.max_size / 8)},
      salt_{start.salt},
      next_index_{start.next_index},
      last_{start.last} {
  for (const Loss &loss : start.counters) keep_counter(loss);
}

void Appender::begin() {
  append({});
  if (fd_) return;
  begin_buffer();
  room_ = catalog_.room();
  run_.clear();
  if (is_admitted(Rank::books)) {
    if (const int code = create(); code != 0) remember("cannot begin a segment", code);
  }
}

void Appender::append(std::span<const Event *const> events) {
  if (closed_) return;
  collect(events);
  catalog_.expire();
  failure_ = 0;
  if (!items_.empty()) write_items();
  settle();
  if (unsynced_since_ && (has_login_ || options_.sync_interval.count() <= 0)) sync();
}

void Appender::collect(std::span<const Event *const> events) {
  taken_damages_ = damages_.take();
  taken_losses_ = outbox_.take_losses();
  taken_host_events_ = outbox_.take_host_events();
  items_.clear();
  for (const Damage &damage : taken_damages_) items_.push_back({&damage});
  for (const Loss &loss : taken_losses_) items_.push_back({&loss});
  for (const HostEvent &event : taken_host_events_) items_.push_back({&event});
  for (const Event *event : events) items_.push_back({event});
}

void Appender::write_items() {
  std::size_t next = 0;
  while (next < items_.size()) {
    const bool is_full_segment = encode_run(next);
    if (!run_.empty()) {
      failure_ = write_run();
      if (failure_ != 0) return;
    }
    if (is_full_segment) finish_segment();
  }
}

void Appender::begin_buffer() {
  buffer_.clear();
  header_size_ = 0;
  if (fd_) return;
  SegmentHeader header{next_index_, salt_, options_.ring_generation, last_, options_.origin, {}};
  for (const auto &[key, loss] : counters_) header.counters.push_back(loss);
  buffer_ = encode_header(header);
  header_size_ = buffer_.size();
}

// Encodes items from NEXT on, as many as fit into the segment. True: the segment is full.
bool Appender::encode_run(std::size_t &next) {
  begin_buffer();
  run_.clear();
  room_ = catalog_.room();
  for (; next < items_.size(); ++next) {
    const std::size_t before = buffer_.size();
    const std::uint64_t token = encode_item(items_[next], next_index_ + run_.size());
    if (token == 0) continue;  // longer than a record may be
    const bool has_records = size_ + header_size_ > 0 && (fd_ || !run_.empty());
    if (has_records && (fd_ ? size_ : 0) + buffer_.size() > segment_limit_) {
      buffer_.resize(before);
      return true;
    }
    if (!is_admitted(rank_of(items_[next]))) {
      items_[next].state = State::full;
      buffer_.resize(before);
      continue;
    }
    run_.push_back({buffer_.size(), next, token});
  }
  return false;
}

std::uint64_t Appender::encode_item(const Item &item, std::uint64_t index) {
  return std::visit(
      [&](const auto *what) {
        RecordWriter record{buffer_, type_of(*what), index};
        encode(*what, buffer_);
        return record.finish(salt_);
      },
      item.what);
}

Appender::Rank Appender::rank_of(const Item &item) {
  const auto *event = std::get_if<const Event *>(&item.what);
  if (event == nullptr) return Rank::books;
  return is_network((*event)->kind) ? Rank::network : Rank::important;
}

// Whether what stands in the buffer may be written, its last record being of RANK.
bool Appender::is_admitted(Rank rank) {
  const std::uint64_t adds = buffer_.size();
  if (rank == Rank::network && room_.unacknowledged + adds > options_.max_size / 8 * 7) return false;
  const std::uint64_t limit = options_.max_size - (rank == Rank::books ? record_overhead : reserve_of_books);
  if (room_.total + adds <= limit) return true;
  const bool made = catalog_.make_room(adds, limit);
  room_ = catalog_.room();
  return made;
}

int Appender::write_run() {
  const int code = fd_ ? extend() : create();
  if (code != 0) remember("cannot write", code);
  return code;
}

int Appender::extend() {
  const Transfer written = write_all(io_, fd_.get(), buffer_, size_);
  const auto torn = std::partition_point(run_.begin(), run_.end(),
                                         [&](const RunEntry &entry) { return entry.end <= written.bytes; });
  const auto records = static_cast<std::size_t>(torn - run_.begin());
  const std::uint64_t end = size_ + written.bytes;
  if (records > 0) size_ += run_[records - 1].end;
  commit(records);
  const bool has_rest = end > size_;
  const bool cut = !has_rest || io_.ftruncate(fd_.get(), size_) == 0;
  if (!cut) remember("cannot cut off a torn record", errno);
  catalog_.publish(next_index_, size_, cut ? size_ : end, last_.token);
  if (records > 0 && !unsynced_since_) unsynced_since_ = SteadyClock::now();
  if (!cut) finish_segment();
  return written.code;
}

// The file gets its name only when header and run are in it and on the disk.
int Appender::create() {
  const char *temporary = "segment.tmp";
  const std::string name = segment_name(next_index_);
  int code = fill_file(temporary);
  if (code == 0 && io_.rename(directory_.fd(), temporary, name.c_str()) != 0) code = errno;
  if (code != 0) {
    fd_.reset();
    io_.unlink(directory_.fd(), temporary);
    return code;
  }
  if (io_.fsync(directory_.fd()) != 0) remember("cannot sync the directory", errno);
  Segment segment;
  segment.first_index = next_index_;
  segment.begin = header_size_;
  segment.previous = last_;
  segment.salt = salt_;
  segment.origin = std::make_shared<const Origin>(options_.origin);
  size_ = segment.readable = segment.size = buffer_.size();
  commit(run_.size());
  segment.next_index = next_index_;
  segment.last_token = run_.empty() ? 0 : last_.token;
  catalog_.add(std::move(segment));
  catalog_.set_synced(next_index_);
  unsynced_since_.reset();
  has_login_ = false;
  return 0;
}

int Appender::fill_file(const char *name) {
  fd_ = Fd{io_.open(directory_.fd(), name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd_) return errno;
  if (const Transfer written = write_all(io_, fd_.get(), buffer_, 0); written.code != 0) return written.code;
  return io_.fdatasync(fd_.get()) == 0 ? 0 : errno;
}

void Appender::commit(std::size_t records) {
  for (std::size_t at = 0; at < records; ++at) {
    Item &item = items_[run_[at].item];
    item.state = State::kept;
    if (const auto *loss = std::get_if<const Loss *>(&item.what); loss != nullptr && (*loss)->counter)
      keep_counter(**loss);
    if (const auto *event = std::get_if<const Event *>(&item.what))
      has_login_ = has_login_ || is_login((*event)->kind);
  }
  if (records == 0) return;
  next_index_ += records;
  last_ = {next_index_, run_[records - 1].token};
  written_ += records;
}

void Appender::keep_counter(const Loss &loss) {
  counters_.insert_or_assign(CounterKey{loss.stage, loss.cause, loss.kind, loss.uid}, loss);
}

// What was not kept goes back to where it waits, or becomes a loss.
void Appender::settle() {
  std::vector<HostEvent> back;
  for (const Item &item : items_) {
    if (item.state == State::kept) continue;
    if (const auto *loss = std::get_if<const Loss *>(&item.what)) outbox_.book(**loss);
    if (const auto *damage = std::get_if<const Damage *>(&item.what)) damages_.put_back(**damage);
    if (const auto *event = std::get_if<const HostEvent *>(&item.what)) back.push_back(**event);
    if (item.state == State::full) remember("cannot write", ENOSPC);
  }
  if (!back.empty()) outbox_.put_back(std::move(back));
  lose_events();
  items_.clear();
}

void Appender::lose_events() {
  std::array<std::array<Loss, kind_count>, 2> losses;
  for (const Item &item : items_) {
    const auto *event = std::get_if<const Event *>(&item.what);
    if (item.state == State::kept || event == nullptr) continue;
    const bool full = item.state == State::full || is_full(failure_);
    Loss &loss = losses.at(full ? 0 : 1).at(static_cast<std::size_t>((*event)->kind));
    const auto time = (*event)->unix_us;
    loss.from_unix_us = loss.count ? std::min(loss.from_unix_us, time) : time;
    loss.to_unix_us = loss.count ? std::max(loss.to_unix_us, time) : time;
    loss.kind = (*event)->kind;
    loss.stage = "spool";
    loss.cause = full ? "spool-full" : "write-failed";
    loss.count = loss.count.value_or(0) + 1;
    ++dropped_;
  }
  for (const auto &cause : losses) {
    for (const Loss &loss : cause) {
      if (loss.count) outbox_.book(loss);
    }
  }
}

void Appender::sync_if_due() {
  if (unsynced_since_ && until_sync().count() <= 0) sync();
}

std::chrono::milliseconds Appender::until_sync() const {
  if (!unsynced_since_) return std::chrono::hours{1};
  const auto waited =
      std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - *unsynced_since_);
  return std::max(std::chrono::milliseconds{0}, options_.sync_interval - waited);
}

// After a failure nobody can say what of the file is on the disk: what follows goes into a new one.
void Appender::sync() {
  unsynced_since_.reset();
  has_login_ = false;
  if (!fd_ || catalog_.synced() >= next_index_) return;
  if (io_.fdatasync(fd_.get()) == 0) return catalog_.set_synced(next_index_);
  remember("cannot sync", errno);
  fd_.reset();
}

void Appender::finish_segment() {
  if (unsynced_since_) sync();
  fd_.reset();
}

void Appender::close() {
  if (closed_) return;
  append({});
  if (!fd_) begin();
  if (fd_) {
    buffer_.clear();
    RecordWriter end{buffer_, RecordType::end, next_index_};
    static_cast<void>(end.finish(salt_));
    const Transfer written = write_all(io_, fd_.get(), buffer_, size_);
    if (written.code != 0) remember("cannot mark the end", written.code);
    if (written.code != 0 && written.bytes > 0 && io_.ftruncate(fd_.get(), size_) != 0)
      remember("cannot cut off a torn record", errno);
    catalog_.publish(next_index_, size_, size_ + (written.code == 0 ? buffer_.size() : 0), last_.token);
    if (io_.fdatasync(fd_.get()) != 0) remember("cannot sync", errno);
  }
  closed_ = true;
  catalog_.close();
}

std::string Appender::last_error() const {
  const std::lock_guard lock{error_mutex_};
  return last_error_;
}

void Appender::remember(const std::string &what, int code) {
  const std::lock_guard lock{error_mutex_};
  last_error_ = what + " in " + directory_.path() + ": " + std::generic_category().message(code);
}

}  // namespace iptrackd::spool
