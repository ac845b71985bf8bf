#include "spool/recovery.h"

#include <fcntl.h>

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "core/fd.h"
#include "spool/codec.h"
#include "spool/segment.h"

namespace iptrackd::spool {
namespace {

// More than any segment that this program writes; what a file has beyond is not looked at.
constexpr std::uint64_t most_bytes = max_segment + max_header + max_record;

struct Head {
  Segment segment;
  std::int64_t modified_unix_us = 0;
  std::uint64_t ring_generation = 0;
  std::vector<Loss> counters;
  std::optional<std::uint64_t> salt;
  std::string borrowed_from;  // header damaged: the segment whose origin it is given
};

class Recoverer {
 public:
  Recoverer(Io &io, const Directory &directory, const Options &options)
      : io_{io}, directory_{directory}, options_{options} {}

  Result<Found> run(const std::vector<std::uint64_t> &files, std::optional<std::uint64_t> salt);

 private:
  Result<Fd> open(std::uint64_t first_index) const;
  Result<void> read_head(std::uint64_t first_index);
  void mend_heads(std::optional<std::uint64_t> salt);
  void borrow(Head &head, const Head &from);
  Result<void> scan(std::size_t at);
  void scan_end(Head &head, const Scanner &scanner);
  void note(Head &head, const Record &record);
  void note_event(const Head &head, const Record &record);
  void note_loss(const Head &head, const Record &record);
  void forget_old_logins();
  void set_counter(const Loss &loss);
  void set_time(std::int64_t unix_us);
  void damage(const Head &head, std::uint64_t first, std::optional<std::uint64_t> count, std::string what);
  [[nodiscard]] bool is_current(const Head &head) const;

  using CounterKey = std::tuple<std::string, std::string, std::optional<Kind>, std::optional<std::uint32_t>>;

  Io &io_;
  const Directory &directory_;
  const Options &options_;
  Found found_;
  std::vector<Head> heads_;
  std::string bytes_;
  std::map<CounterKey, Loss> counters_;
  std::size_t undated_ = 0;  // damages from here on wait for the time of the next intact record
};

Result<Found> Recoverer::run(const std::vector<std::uint64_t> &files, std::optional<std::uint64_t> salt) {
  for (const std::uint64_t first_index : files) {
    if (auto read = read_head(first_index); !read) return tl::unexpected{read.error()};
  }
  mend_heads(salt);
  for (std::size_t at = 0; at < heads_.size(); ++at) {
    if (auto scanned = scan(at); !scanned) return tl::unexpected{scanned.error()};
  }
  for (auto &[key, loss] : counters_) found_.recovery.counters.push_back(std::move(loss));
  forget_old_logins();
  return std::move(found_);
}

Result<Fd> Recoverer::open(std::uint64_t first_index) const {
  const std::string name = segment_name(first_index);
  Fd fd{io_.open(directory_.fd(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0)};
  if (!fd) return fail_errno("cannot open " + directory_.path_of(name));
  return fd;
}

Result<void> Recoverer::read_head(std::uint64_t first_index) {
  auto fd = open(first_index);
  if (!fd) return tl::unexpected{fd.error()};
  struct stat status {};
  if (io_.fstat(fd->get(), status) != 0)
    return fail_errno("cannot examine " + directory_.path_of(segment_name(first_index)));
  Head head;
  head.segment.first_index = head.segment.next_index = first_index;
  head.segment.size = static_cast<std::uint64_t>(status.st_size);
  head.modified_unix_us = std::int64_t{status.st_mtim.tv_sec} * 1'000'000 + status.st_mtim.tv_nsec / 1000;
  read_segment(io_, fd->get(), std::min<std::uint64_t>(head.segment.size, max_header), bytes_);
  if (auto parsed = parse_header(bytes_); parsed && parsed->header.first_index == first_index) {
    head.segment.begin = parsed->size;
    head.segment.previous = parsed->header.previous;
    head.segment.origin = std::make_shared<const Origin>(std::move(parsed->header.origin));
    head.segment.salt = parsed->header.salt;
    head.salt = parsed->header.salt;
    head.ring_generation = parsed->header.ring_generation;
    head.counters = std::move(parsed->header.counters);
  }
  heads_.push_back(std::move(head));
  return {};
}

void Recoverer::borrow(Head &head, const Head &from) {
  if (head.segment.origin || !from.segment.origin) return;
  head.segment.origin = from.segment.origin;
  head.ring_generation = from.ring_generation;
  head.borrowed_from = segment_name(from.segment.first_index);
}

// A segment whose header is damaged is given the origin of the one before it, or else behind it.
void Recoverer::mend_heads(std::optional<std::uint64_t> salt) {
  for (const Head &head : heads_) {
    if (!found_.salt) found_.salt = head.salt;
  }
  for (std::size_t at = 1; at < heads_.size(); ++at) borrow(heads_[at], heads_[at - 1]);
  for (std::size_t at = heads_.size(); at-- > 1;) borrow(heads_[at - 1], heads_[at]);
  for (Head &head : heads_) {
    if (!head.salt) head.segment.salt = salt ? *salt : found_.salt.value_or(0);
    if (head.segment.origin) continue;
    head.segment.origin = std::make_shared<const Origin>(options_.origin);
    head.borrowed_from = "this start";
  }
}

bool Recoverer::is_current(const Head &head) const {
  return head.segment.origin->boot_id == options_.origin.boot_id &&
         head.ring_generation == options_.ring_generation;
}

Result<void> Recoverer::scan(std::size_t at) {
  Head &head = heads_[at];
  Segment &segment = head.segment;
  const bool newest = at + 1 == heads_.size();
  auto fd = open(segment.first_index);
  if (!fd) return tl::unexpected{fd.error()};
  read_segment(io_, fd->get(), std::min(segment.size, most_bytes), bytes_);
  if (!head.salt && segment.size > 0) {
    damage(head, segment.first_index, 0, "header damaged; host and boot are those of " + head.borrowed_from);
  }
  if (is_current(head)) {
    for (const Loss &loss : head.counters) set_counter(loss);
  }
  const std::uint64_t limit =
      newest ? std::numeric_limits<std::uint64_t>::max() : heads_[at + 1].segment.first_index;
  Scanner scanner{bytes_, segment.begin, segment.first_index, limit, segment.salt};
  found_.recovery.clean_end = false;
  if (segment.previous.index > found_.last.index) found_.last = segment.previous;
  for (std::uint64_t expected = segment.first_index;; expected = scanner.expected()) {
    Record record;
    if (!scanner.next(record)) break;
    if (record.index > expected) damage(head, expected, record.index - expected, "damaged");
    note(head, record);
  }
  segment.next_index = scanner.expected();
  segment.readable = scanner.end();
  if (newest) {
    scan_end(head, scanner);
  } else if (scanner.expected() < limit) {
    damage(head, scanner.expected(), limit - scanner.expected(), "damaged");
  }
  found_.recovery.last_origin = *segment.origin;
  found_.segments.push_back(segment);
  return {};
}

// Behind the newest record nothing tells how many there were, but records that are damaged and yet whole.
void Recoverer::scan_end(Head &head, const Scanner &scanner) {
  Segment &segment = head.segment;
  std::size_t rest = 0;
  const std::uint64_t count = scanner.count_damaged_tail(rest);
  if (count > 0) damage(head, scanner.expected(), count, "damaged");
  if (rest > 0) damage(head, scanner.expected() + count, std::nullopt, "torn by a crash");
  found_.next_index = segment.next_index = scanner.expected() + count;
  if (rest > 0 || count > 0) found_.recovery.clean_end = false;
  for (; undated_ < found_.damages.size(); ++undated_)
    found_.damages[undated_].to_unix_us =
        std::max(found_.damages[undated_].from_unix_us, head.modified_unix_us);
}

void Recoverer::note(Head &head, const Record &record) {
  found_.recovery.clean_end = record.type == RecordType::end;
  if (record.type == RecordType::end) return;
  head.segment.last_token = record.token;
  found_.last = {record.index + 1, record.token};
  if (record.type == RecordType::event) return note_event(head, record);
  if (record.type == RecordType::loss) return note_loss(head, record);
  if (HostEvent event; decode(record.payload, event)) set_time(event.unix_us);
}

void Recoverer::note_event(const Head &head, const Record &record) {
  const Peek event = peek(record.payload);
  set_time(event.unix_us);
  if (head.segment.origin->boot_id != options_.origin.boot_id) return;
  Recovery &recovery = found_.recovery;
  recovery.last_seq = std::max(recovery.last_seq, event.seq);
  const bool will_be_read =
      std::any_of(options_.rings.begin(), options_.rings.end(), [&event](const RingMark &from) {
        return from.ring == event.ring && from.position < event.ring_position;
      });
  if (will_be_read) recovery.ring_marks.push_back({event.ring, event.ring_position});
  const bool is_pam = event.kind >= static_cast<std::uint8_t>(Kind::auth);
  if (!is_pam && !event.has_environment) return;
  if (!decode(record.payload, recovery.logins.emplace_back())) recovery.logins.pop_back();
}

void Recoverer::forget_old_logins() {
  constexpr std::uint64_t hour_ns = 3'600'000'000'000;
  auto &logins = found_.recovery.logins;
  std::uint64_t newest = 0;
  for (const Event &login : logins) newest = std::max(newest, login.boot_ns);
  std::erase_if(logins, [newest](const Event &login) { return login.boot_ns + hour_ns < newest; });
}

void Recoverer::note_loss(const Head &head, const Record &record) {
  // A booking tells of a time long before it was written.
  if (const auto range = decode_range(record.payload)) {
    found_.booked.push_back(*range);
    return;
  }
  Loss loss;
  if (!decode(record.payload, loss)) return;
  set_time(loss.to_unix_us);
  if (loss.counter && is_current(head)) set_counter(loss);
}

void Recoverer::set_counter(const Loss &loss) {
  counters_.insert_or_assign(CounterKey{loss.stage, loss.cause, loss.kind, loss.uid}, loss);
}

void Recoverer::set_time(std::int64_t unix_us) {
  for (; undated_ < found_.damages.size(); ++undated_) {
    Damage &damage = found_.damages[undated_];
    if (damage.from_unix_us == 0) damage.from_unix_us = unix_us;
    damage.to_unix_us = std::max(damage.from_unix_us, unix_us);
  }
  found_.recovery.last_unix_us = unix_us;
}

void Recoverer::damage(const Head &head, std::uint64_t first, std::optional<std::uint64_t> count,
                       std::string what) {
  const auto time = found_.recovery.last_unix_us;
  found_.damages.push_back(
      {first, count, time, time, segment_name(head.segment.first_index), std::move(what)});
}

}  // namespace

Result<Found> recover(Io &io, const Directory &directory, const Options &options,
                      const std::vector<std::uint64_t> &files, std::optional<std::uint64_t> salt) {
  return Recoverer{io, directory, options}.run(files, salt);
}

void read_segment(Io &io, int fd, std::uint64_t size, std::string &to) {
  constexpr std::size_t page = 4096;
  to.resize(size);
  std::size_t at = 0;
  while (at < size) {
    const auto got = read_all(io, fd, to.data() + at, size - at, at);
    at += got.bytes;
    if (at == size) return;
    if (got.code == 0) return to.resize(at);  // shorter than it was
    const std::size_t end = std::min<std::size_t>(size, (at / page + 1) * page);
    std::fill(to.begin() + static_cast<std::ptrdiff_t>(at), to.begin() + static_cast<std::ptrdiff_t>(end),
              '\0');
    at = end;
  }
}

}  // namespace iptrackd::spool
