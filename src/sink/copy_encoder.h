// Rows of the storage tables in PostgreSQL's binary COPY format (COPY ... WITH (FORMAT binary)).
//
//   stream:  "PGCOPY\n\377\r\n\0"  int32 flags = 0  int32 extension length = 0   row...   int16 -1
//   row:     int16 number of fields   field...
//   field:   int32 length in bytes, -1 for NULL   that many bytes, in the type's send/recv form
//
// All integers are in network order. Pure: no server is needed to encode, and the same input gives the same
// bytes.
#ifndef IPTRACKD_SINK_COPY_ENCODER_H
#define IPTRACKD_SINK_COPY_ENCODER_H

#include <cstdint>
#include <string>
#include <string_view>

#include "core/batch.h"

namespace iptrackd::sink {

// The columns that append_event() fills, in its order, separated by commas: for COPY event (...).
[[nodiscard]] std::string_view event_columns() noexcept;
// The same for append_loss() and the table loss, append_host_event() and host_event.
[[nodiscard]] std::string_view loss_columns() noexcept;
[[nodiscard]] std::string_view host_event_columns() noexcept;

// Builds one stream: append what is to be stored, then finish() and send bytes().
class CopyEncoder {
 public:
  CopyEncoder();

  // BOOT is the key of the event's host and boot in the table boot.
  void append_event(const Event &event, std::int32_t boot);
  // SPOOL is a UUID's text. The host's name is escaped here.
  void append_loss(const Loss &loss, const Origin &origin, std::string_view spool);
  void append_host_event(const HostEvent &event, const Origin &origin, std::string_view spool);
  void finish();

  [[nodiscard]] std::string_view bytes() const noexcept { return out_; }

 private:
  std::string out_;
};

}  // namespace iptrackd::sink

#endif
