#include "spool/segment.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "spool/codec.h"
#include "spool/fields.h"

namespace iptrackd::spool {
namespace {

constexpr std::string_view magic = "IPTSPOOL";
constexpr std::uint32_t version = 1;
constexpr std::size_t fixed_header = 56;
constexpr std::size_t checksum_size = 8;
constexpr std::size_t name_digits = 20;
constexpr std::string_view suffix = ".seg";

enum HeaderTag : std::uint8_t { tag_host = 1, tag_boot_id = 2, tag_counter = 3 };

constexpr std::size_t padded(std::size_t size) {
  return (size + 7) / 8 * 8;
}

std::uint64_t token_of(std::string_view bytes, std::uint64_t salt) {
  const std::uint64_t hash = XXH3_64bits_withSeed(bytes.data(), bytes.size(), salt);
  return hash == 0 ? 1 : hash;
}

bool parse_fields(std::string_view bytes, SegmentHeader &header) {
  FieldReader fields{bytes};
  while (fields.next()) {
    if (fields.tag() == tag_host) header.origin.host = fields.bytes();
    if (fields.tag() == tag_boot_id) header.origin.boot_id = fields.bytes();
    if (fields.tag() == tag_counter && !decode(fields.bytes(), header.counters.emplace_back())) return false;
  }
  return fields.rest().find_first_not_of('\0') == std::string_view::npos;  // padding
}

}  // namespace

std::string encode_header(const SegmentHeader &header) {
  std::string bytes{magic};
  append_number(bytes, version);
  append_number(bytes, std::uint32_t{0});
  append_number(bytes, header.first_index);
  append_number(bytes, header.salt);
  append_number(bytes, header.ring_generation);
  append_number(bytes, header.previous.index);
  append_number(bytes, header.previous.token);
  append_field(bytes, tag_host, header.origin.host);
  append_field(bytes, tag_boot_id, header.origin.boot_id);
  std::string counter;
  for (const Loss &loss : header.counters) {
    counter.clear();
    encode(loss, counter);
    if (bytes.size() + counter.size() + 2 * checksum_size > max_header) break;
    append_field(bytes, tag_counter, counter);
  }
  bytes.resize(padded(bytes.size()));
  store_number(bytes.data() + 12, static_cast<std::uint32_t>(bytes.size() + checksum_size));
  append_number(bytes, std::uint64_t{XXH3_64bits(bytes.data(), bytes.size())});
  return bytes;
}

std::optional<ParsedHeader> parse_header(std::string_view bytes) {
  if (bytes.size() < fixed_header + checksum_size || !bytes.starts_with(magic)) return std::nullopt;
  if (load_number<std::uint32_t>(bytes.data() + 8) != version) return std::nullopt;
  const std::size_t size = load_number<std::uint32_t>(bytes.data() + 12);
  if (size < fixed_header + checksum_size || size > max_header || size > bytes.size() || size % 8 != 0)
    return std::nullopt;
  const std::size_t summed = size - checksum_size;
  if (load_number<std::uint64_t>(bytes.data() + summed) != XXH3_64bits(bytes.data(), summed))
    return std::nullopt;
  ParsedHeader parsed;
  parsed.size = size;
  parsed.header.first_index = load_number<std::uint64_t>(bytes.data() + 16);
  parsed.header.salt = load_number<std::uint64_t>(bytes.data() + 24);
  parsed.header.ring_generation = load_number<std::uint64_t>(bytes.data() + 32);
  parsed.header.previous.index = load_number<std::uint64_t>(bytes.data() + 40);
  parsed.header.previous.token = load_number<std::uint64_t>(bytes.data() + 48);
  if (!parse_fields(bytes.substr(fixed_header, summed - fixed_header), parsed.header)) return std::nullopt;
  return parsed;
}

std::string segment_name(std::uint64_t first_index) {
  std::string digits = std::to_string(first_index);
  return std::string(name_digits - digits.size(), '0') + digits + std::string{suffix};
}

std::optional<std::uint64_t> first_index_of(std::string_view name) {
  if (name.size() != name_digits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  std::uint64_t index = 0;
  const char *end = name.data() + name_digits;
  const auto [stopped, error] = std::from_chars(name.data(), end, index);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return index;
}

RecordWriter::RecordWriter(std::string &buffer, RecordType type, std::uint64_t index)
    : buffer_{buffer}, begin_{buffer.size()} {
  append_number(buffer_, std::uint32_t{0});
  append_number(buffer_, static_cast<std::uint32_t>(type));
  append_number(buffer_, index);
}

std::uint64_t RecordWriter::finish(std::uint64_t salt) {
  const std::size_t length = buffer_.size() - begin_ - 16;
  if (length > max_payload) {
    buffer_.resize(begin_);
    return 0;
  }
  store_number(buffer_.data() + begin_, static_cast<std::uint32_t>(length));
  buffer_.resize(begin_ + padded(16 + length));
  const std::uint64_t token = token_of(std::string_view{buffer_}.substr(begin_), salt);
  append_number(buffer_, token);
  return token;
}

std::optional<std::size_t> record_size(std::string_view bytes) {
  if (bytes.size() < record_overhead) return std::nullopt;
  const auto length = load_number<std::uint32_t>(bytes.data());
  const auto type = load_number<std::uint32_t>(bytes.data() + 4);
  if (length > max_payload || type < 1 || type > 4) return std::nullopt;
  return padded(16 + length) + checksum_size;
}

std::optional<Record> parse_record(std::string_view bytes, std::uint64_t salt) {
  const auto size = record_size(bytes);
  if (!size || *size > bytes.size()) return std::nullopt;
  Record record;
  record.size = *size;
  record.token = load_number<std::uint64_t>(bytes.data() + *size - checksum_size);
  if (record.token != token_of(bytes.substr(0, *size - checksum_size), salt)) return std::nullopt;
  record.type = static_cast<RecordType>(load_number<std::uint32_t>(bytes.data() + 4));
  record.index = load_number<std::uint64_t>(bytes.data() + 8);
  record.payload = bytes.substr(16, load_number<std::uint32_t>(bytes.data()));
  return record;
}

bool Scanner::is_plausible(std::size_t at) const {
  const std::string_view rest = bytes_.substr(at);
  const auto size = record_size(rest);
  if (!size || *size > rest.size()) return false;
  const auto index = load_number<std::uint64_t>(rest.data() + 8);
  // As many records as have room in what was stepped over may be missing.
  if (index < expected_ || index - expected_ > (at - end_) / record_overhead) return false;
  const bool is_end =
      load_number<std::uint32_t>(rest.data() + 4) == static_cast<std::uint32_t>(RecordType::end);
  return index < limit_ || (is_end && index == limit_);
}

bool Scanner::next(Record &record) {
  for (std::size_t at = end_; at + record_overhead <= bytes_.size(); at += 8) {
    if (!is_plausible(at)) continue;
    const auto found = parse_record(bytes_.substr(at), salt_);
    if (!found) continue;
    record = *found;
    begin_ = at;
    end_ = at + record.size;
    expected_ = record.index + (record.type == RecordType::end ? 0 : 1);
    return true;
  }
  return false;
}

std::uint64_t Scanner::count_damaged_tail(std::size_t &rest) const {
  std::uint64_t count = 0;
  std::size_t at = end_;
  while (at + record_overhead <= bytes_.size()) {
    const std::string_view tail = bytes_.substr(at);
    const auto size = record_size(tail);
    if (!size || *size > tail.size() || load_number<std::uint64_t>(tail.data() + 8) != expected_ + count)
      break;
    if (load_number<std::uint32_t>(tail.data() + 4) == static_cast<std::uint32_t>(RecordType::end)) break;
    ++count;
    at += *size;
  }
  rest = bytes_.size() - at;
  return count;
}

}  // namespace iptrackd::spool
