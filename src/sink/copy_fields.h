// The fields of one binary COPY row, appended one after the other; copy_encoder.h draws the format.
#ifndef IPTRACKD_SINK_COPY_FIELDS_H
#define IPTRACKD_SINK_COPY_FIELDS_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/event.h"

namespace iptrackd::sink {

class CopyFields {
 public:
  // Begins a row at the end of OUT; the destructor writes the number of fields that were appended.
  explicit CopyFields(std::string &out);
  ~CopyFields();
  CopyFields(const CopyFields &) = delete;
  CopyFields &operator=(const CopyFields &) = delete;

  void null();
  void boolean(const std::optional<bool> &value);
  void int4(const std::optional<std::int32_t> &value);
  // A value above 2^63-1 (some file systems' inode numbers) keeps its bits and reads as negative.
  void int8(const std::optional<std::uint64_t> &value);
  // Microseconds since 1970, UTC. What int64 cannot hold becomes a value that the server rejects, never
  // infinity.
  void timestamptz(std::int64_t unix_us);
  // Nanoseconds; cut to PostgreSQL's microseconds.
  void interval(const std::optional<std::uint64_t> &ns);
  void inet(const std::optional<Address> &address);
  // Its text form, with or without dashes; NULL where it is none.
  void uuid(std::string_view text);
  // Escaped as escape.h says.
  void text(std::string_view bytes);
  void text(const Text &value);
  void text_array(const ArgList &values);
  // The names of the bits, in the order of the bits; NULL when none is set, which the view shows as '{}'.
  void marks(std::uint32_t bits);

 private:
  void int4_field(std::int32_t value);
  void int8_field(std::int64_t value);
  template <typename Visit>
  void array_field(std::int32_t count, Visit append_elements);

  std::string &out_;
  const std::size_t start_;
  std::int16_t count_ = 0;
};

}  // namespace iptrackd::sink

#endif
