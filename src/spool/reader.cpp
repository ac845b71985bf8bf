#include "spool/reader.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "spool/codec.h"
#include "spool/recovery.h"

namespace iptrackd::spool {
namespace {

constexpr std::size_t window_size = 256U << 10;

}  // namespace

Result<BatchSource::Read> Reader::read(Position from, const BatchLimits &limits, Batch &batch,
                                       const std::stop_token &stop) {
  if (!catalog_.find(from.index) && from.index != catalog_.next_index())
    return fail(Fault::environment,
                "the spool " + directory_.path() + " does not hold record " + std::to_string(from.index));
  if (cursor_.serial == 0 || cursor_.index != from.index) cursor_ = {from.index, from.token, 0, 0};
  cursor_.token = from.token;
  batch.begin({}, from);
  batch_bytes_ = 0;
  auto until = SteadyClock::now() + limits.linger;
  bool has_entries = false;
  while (true) {
    const auto filled = fill(limits, batch);
    // What is there already goes out; the next call meets the error again.
    if (!filled && batch.size() == 0) return tl::unexpected{filled.error()};
    if (!filled || *filled == Fill::full) return hand_out(batch, false);
    if (!has_entries && batch.size() > 0) {
      has_entries = true;
      until = SteadyClock::now() + limits.linger;
    }
    const auto waited = catalog_.wait(cursor_.index, until, stop);
    if (waited != Catalog::Wait::more || stop.stop_requested())
      return hand_out(batch, waited == Catalog::Wait::closed);
  }
}

Result<BatchSource::Read> Reader::hand_out(Batch &batch, bool closed) {
  if (cursor_.index > batch.to().index) batch.extend_to({cursor_.index, cursor_.token});
  if (batch.to().index == batch.from().index)
    return closed ? BatchSource::Read::ended : BatchSource::Read::nothing;
  make_durable(batch.to());
  return BatchSource::Read::some;
}

// Goes on to the next segment only while the batch is empty: a segment has one origin.
Result<Reader::Fill> Reader::fill(const BatchLimits &limits, Batch &batch) {
  while (true) {
    const auto segment = catalog_.find(cursor_.index);
    if (!segment && cursor_.index == catalog_.next_index()) return Fill::end;
    if (!segment)
      return fail(Fault::environment, "the spool " + directory_.path() + " lost what was being read");
    if (batch.size() > 0 && segment->serial != cursor_.serial) return Fill::full;
    if (segment->serial != cursor_.serial) {
      if (auto entered = enter(*segment); !entered) return tl::unexpected{entered.error()};
    }
    if (batch.size() == 0) batch.begin(*segment->origin, batch.from());
    auto filled = fill_from(*segment, limits, batch);
    if (!filled || *filled == Fill::full) return filled;
    if (segment->newest) return Fill::end;
  }
}

Result<Reader::Fill> Reader::fill_from(const Segment &segment, const BatchLimits &limits, Batch &batch) {
  const auto is_full = [&] {
    return batch.size() >= std::max<std::size_t>(1, limits.rows) ||
           (batch.size() > 0 && batch_bytes_ >= limits.bytes);
  };
  while (!is_full() && cursor_.index < segment.next_index) {
    if (damages_.knows(cursor_.index)) {
      step_over(segment);
      continue;
    }
    const auto record = record_here(segment);
    if (!record) {
      if (!failing_since_) failing_since_ = SteadyClock::now();
      if (SteadyClock::now() - *failing_since_ < patience_) return tl::unexpected{record.error()};
      step_over(segment);
      continue;
    }
    failing_since_.reset();
    if (!*record) {
      step_over(segment);
      continue;
    }
    if (batch.size() > 0 && batch_bytes_ + (*record)->size > limits.bytes) return Fill::full;
    batch_bytes_ += (*record)->size;
    cursor_.offset += (*record)->size;
    if (!deliver(**record, batch)) {
      skip_to(segment, cursor_.index + 1, "cannot be understood");
      continue;
    }
    cursor_.index = (*record)->index + 1;
    cursor_.token = (*record)->token;
  }
  if (is_full()) return Fill::full;
  if (cursor_.index < segment.limit) skip_to(segment, segment.limit, "damaged");
  return Fill::end;
}

bool Reader::deliver(const Record &record, Batch &batch) {
  bool good = false;
  if (record.type == RecordType::event) {
    Event &event = batch.add_event(record.index, record.token);
    good = decode(record.payload, event);
    last_unix_us_ = event.unix_us;
  } else if (record.type == RecordType::loss) {
    good = decode(record.payload, batch.add_loss(record.index, record.token));
  } else {
    good = decode(record.payload, batch.add_host_event(record.index, record.token));
  }
  if (!good) batch.drop_last();
  return good;
}

// The record at the cursor; nullopt: what is there is not the record that is wanted.
Result<std::optional<Record>> Reader::record_here(const Segment &segment) {
  std::size_t needed = record_overhead;
  if (window_here().size() >= needed) needed = record_size(window_here()).value_or(needed);
  if (window_here().size() < needed) {
    if (auto loaded = load_window(segment, needed); !loaded) return tl::unexpected{loaded.error()};
    needed = record_size(window_here()).value_or(needed);
    if (window_here().size() < needed) {
      if (auto loaded = load_window(segment, needed); !loaded) return tl::unexpected{loaded.error()};
    }
  }
  auto record = parse_record(window_here(), segment.salt);
  if (record && (record->index != cursor_.index || record->type == RecordType::end)) record.reset();
  return record;
}

std::string_view Reader::window_here() const {
  if (cursor_.offset < window_begin_ || cursor_.offset > window_begin_ + window_.size()) return {};
  return std::string_view{window_}.substr(cursor_.offset - window_begin_);
}

Result<void> Reader::load_window(const Segment &segment, std::size_t needed) {
  const std::uint64_t rest = segment.readable - std::min(segment.readable, cursor_.offset);
  window_begin_ = cursor_.offset;
  window_.resize(std::min<std::uint64_t>(rest, std::max(needed, window_size)));
  const Transfer got = read_all(io_, fd_.get(), window_.data(), window_.size(), window_begin_);
  window_.resize(got.bytes);
  if (got.code == 0 || got.bytes >= needed) return {};
  return fail_errno("cannot read " + directory_.path_of(segment_name(segment.first_index)), got.code);
}

Result<void> Reader::enter(const Segment &segment) {
  if (auto opened = open(segment); !opened) return opened;
  cursor_.serial = segment.serial;
  cursor_.offset = segment.begin;
  if (cursor_.index == segment.first_index && segment.begin > 0) return {};
  // The reader starts in the midst of it.
  const Place place = locate(segment, cursor_.index);
  cursor_.offset = place.offset;
  if (place.index > cursor_.index) skip_to(segment, place.index, "damaged");
  return {};
}

Result<void> Reader::open(const Segment &segment) {
  if (fd_serial_ == segment.serial) return {};
  const std::string name = segment_name(segment.first_index);
  window_.clear();
  window_begin_ = 0;
  fd_serial_ = 0;
  fd_ = Fd{io_.open(directory_.fd(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0)};
  if (!fd_) return fail_errno("cannot open " + directory_.path_of(name));
  fd_serial_ = segment.serial;
  return {};
}

// fd_ must be open on SEGMENT.
Reader::Place Reader::locate(const Segment &segment, std::uint64_t index) {
  std::string bytes;
  read_segment(io_, fd_.get(), segment.readable, bytes);
  Scanner scanner{bytes, segment.begin, segment.first_index, segment.next_index, segment.salt};
  Place place{segment.limit, segment.readable, 0, 0};
  for (Record record; scanner.next(record) && record.type != RecordType::end;) {
    if (record.index >= index) {
      place.index = record.index;
      place.offset = scanner.begin();
      break;
    }
    place.token = record.token;
    place.token_index = record.index;
  }
  return place;
}

void Reader::step_over(const Segment &segment) {
  failing_since_.reset();
  // What has been counted as damaged is not given even where it can be read by now.
  std::uint64_t wanted = cursor_.index;
  while (wanted < segment.next_index && damages_.knows(wanted)) ++wanted;
  const Place place = locate(segment, wanted);
  window_.clear();
  cursor_.offset = place.offset;
  if (place.index > cursor_.index) skip_to(segment, place.index, "damaged");
}

// The cursor moves to INDEX; what it leaves out is on the books from now on.
void Reader::skip_to(const Segment &segment, std::uint64_t index, const char *what) {
  damages_.find({cursor_.index, index - cursor_.index, last_unix_us_, last_unix_us_,
                 segment_name(segment.first_index), what});
  cursor_.index = index;
}

void Reader::make_durable(Position position) {
  if (catalog_.synced() >= position.index || fd_serial_ != cursor_.serial || !fd_) return;
  const auto segment = catalog_.find(position.index);
  // A failure is the writer's to find and to tell; this batch is safe where it goes to.
  if (segment && segment->serial == fd_serial_ && io_.fdatasync(fd_.get()) == 0)
    catalog_.set_synced(segment->next_index);
}

BatchSource::Lineage Reader::lineage(Position position) {
  using Lineage = BatchSource::Lineage;
  const Position first = catalog_.first();
  if (position.index < first.index) return Lineage::gone;
  const auto found = catalog_.find(position.index);
  // No segment could be made yet.
  if (!found)
    return position == first && position.index == catalog_.next_index() ? Lineage::held : Lineage::foreign;
  const auto same = [&](std::uint64_t token) {
    return token == position.token ? Lineage::held : Lineage::foreign;
  };
  if (position.index == 0) return same(0);
  if (position.index == found->first_index) {
    if (found->begin > 0 && found->previous.index == position.index) return same(found->previous.token);
    if (position.index == first.index) return Lineage::held;  // the record before it is not here
  }
  const auto segment = catalog_.find(position.index - 1);
  if (!segment) return Lineage::held;
  if (auto opened = open(*segment); !opened) return Lineage::held;
  const Place place = locate(*segment, position.index);
  const bool is_here = place.token != 0 && place.token_index == position.index - 1;
  return is_here ? same(place.token) : Lineage::held;
}

}  // namespace iptrackd::spool
