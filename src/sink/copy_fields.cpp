#include "sink/copy_fields.h"

#include <cstddef>
#include <limits>
#include <type_traits>

#include "sink/escape.h"

namespace iptrackd::sink {
namespace {

constexpr std::int64_t postgres_epoch_us = 946'684'800'000'000;  // 2000-01-01 00:00:00 UTC
constexpr std::uint32_t text_oid = 25;                           // pg_type.dat, fixed for ever
constexpr std::uint8_t inet_family_v4 = 2;                       // PGSQL_AF_INET
constexpr std::uint8_t inet_family_v6 = 3;  // PGSQL_AF_INET6, one more, not the system's AF_INET6

template <typename Int>
void put(std::string &out, std::size_t at, Int value) {
  using Unsigned = std::make_unsigned_t<Int>;
  auto rest = static_cast<Unsigned>(value);
  for (std::size_t i = sizeof(Int); i-- > 0;) {
    out[at + i] = static_cast<char>(rest & 0xff);
    rest = static_cast<Unsigned>(std::uint64_t{rest} >> 8);
  }
}

template <typename Int>
void append(std::string &out, Int value) {
  out.append(sizeof(Int), '\0');
  put(out, out.size() - sizeof(Int), value);
}

// Appends a length that is known only after FILL has appended what it counts.
template <typename Fill>
void append_counted(std::string &out, Fill fill) {
  const std::size_t at = out.size();
  append(out, std::int32_t{0});
  fill();
  put(out, at, static_cast<std::int32_t>(out.size() - at - sizeof(std::int32_t)));
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

CopyFields::CopyFields(std::string &out) : out_{out}, start_{out.size()} {
  append(out_, std::int16_t{0});
}

CopyFields::~CopyFields() {
  put(out_, start_, count_);
}

void CopyFields::null() {
  append(out_, std::int32_t{-1});
  ++count_;
}

void CopyFields::int4_field(std::int32_t value) {
  append(out_, std::int32_t{sizeof(value)});
  append(out_, value);
  ++count_;
}

void CopyFields::int8_field(std::int64_t value) {
  append(out_, std::int32_t{sizeof(value)});
  append(out_, value);
  ++count_;
}

void CopyFields::boolean(const std::optional<bool> &value) {
  if (!value) return null();
  append(out_, std::int32_t{1});
  append(out_, static_cast<std::int8_t>(*value ? 1 : 0));
  ++count_;
}

void CopyFields::int4(const std::optional<std::int32_t> &value) {
  if (!value) return null();
  int4_field(*value);
}

void CopyFields::int8(const std::optional<std::uint64_t> &value) {
  if (!value) return null();
  int8_field(static_cast<std::int64_t>(*value));
}

void CopyFields::timestamptz(std::int64_t unix_us) {
  std::int64_t since_2000 = 0;
  // INT64_MIN itself would be read as -infinity, which a column of times accepts.
  if (__builtin_sub_overflow(unix_us, postgres_epoch_us, &since_2000) ||
      since_2000 == std::numeric_limits<std::int64_t>::min()) {
    since_2000 = std::numeric_limits<std::int64_t>::min() + 1;
  }
  int8_field(since_2000);
}

void CopyFields::interval(const std::optional<std::uint64_t> &ns) {
  if (!ns) return null();
  append_counted(out_, [&] {
    append(out_, static_cast<std::int64_t>(*ns / 1000));
    append(out_, std::int32_t{0});  // days
    append(out_, std::int32_t{0});  // months
  });
  ++count_;
}

void CopyFields::inet(const std::optional<Address> &address) {
  if (!address) return null();
  const bool v4 = address->family == Address::Family::ipv4;
  const std::size_t size = v4 ? 4 : 16;
  append_counted(out_, [&] {
    append(out_, static_cast<std::int8_t>(v4 ? inet_family_v4 : inet_family_v6));
    append(out_, static_cast<std::int8_t>(v4 ? 32 : -128));  // 128 as a byte
    append(out_, std::int8_t{0});                            // not a cidr
    append(out_, static_cast<std::int8_t>(size));
    out_.append(reinterpret_cast<const char *>(address->bytes.data()), size);
  });
  ++count_;
}

void CopyFields::uuid(std::string_view text) {
  std::string bytes;
  int high = -1;
  for (const char c : text) {
    if (c == '-') continue;
    const int digit = digit_of(c);
    if (digit < 0) return null();
    if (high >= 0) bytes += static_cast<char>(high << 4 | digit);
    high = high < 0 ? digit : -1;
  }
  if (bytes.size() != 16 || high >= 0) return null();
  append_counted(out_, [&] { out_ += bytes; });
  ++count_;
}

void CopyFields::text(std::string_view bytes) {
  append_counted(out_, [&] { append_escaped(out_, bytes); });
  ++count_;
}

void CopyFields::text(const Text &value) {
  if (!value.known()) return null();
  text(value.view());
}

template <typename Visit>
void CopyFields::array_field(std::int32_t count, Visit append_elements) {
  append_counted(out_, [&] {
    append(out_, std::int32_t{count > 0 ? 1 : 0});  // dimensions; an empty array has none
    append(out_, std::int32_t{0});                  // has no NULL
    append(out_, text_oid);
    if (count == 0) return;
    append(out_, count);
    append(out_, std::int32_t{1});  // lower bound
    append_elements();
  });
  ++count_;
}

void CopyFields::text_array(const ArgList &values) {
  if (!values.known()) return null();
  array_field(static_cast<std::int32_t>(values.count()), [&] {
    values.for_each(
        [&](std::string_view value) { append_counted(out_, [&] { append_escaped(out_, value); }); });
  });
}

void CopyFields::marks(std::uint32_t bits) {
  std::int32_t count = 0;
  for (std::size_t i = 0; i < mark_count; ++i) count += (bits >> i) & 1U ? 1 : 0;
  if (count == 0) return null();
  array_field(count, [&] {
    for (std::size_t i = 0; i < mark_count; ++i) {
      if (((bits >> i) & 1U) == 0) continue;
      append_counted(out_, [&] { out_ += mark_name(static_cast<Mark>(1U << i)); });
    }
  });
}

}  // namespace iptrackd::sink
