// Events, losses and events of the host as lines of JSON, for the driver `jsonl`.
//
//   event   {"ts": "2024-11-22T00:00:00.123456Z", "host": ..., ..., "writer": null, "received_at": null}
//           exactly the columns of the view iptrackd.activity, in its order; unknown is null
//   loss    {"loss": {"from_ts": ..., "to_ts": ..., "host": ..., "stage": ..., "kind": ..., "cause": ...,
//                     "uid": ..., "count": ...}}
//   event of the host   {"host_event": {"ts": ..., "host": ..., "boot_id": ..., "kind": ..., "detail": ...}}
//
// duration is a number of seconds with microseconds. Text is escaped as escape.h says.
#ifndef IPTRACKD_SINK_JSON_ROW_H
#define IPTRACKD_SINK_JSON_ROW_H

#include <cstdint>
#include <string>

#include "core/batch.h"

namespace iptrackd::sink {

// Each appends one line with its newline to OUT.
void append_json(std::string &out, const Event &event, const Origin &origin);
void append_json(std::string &out, const Loss &loss, const Origin &origin);
void append_json(std::string &out, const HostEvent &event, const Origin &origin);
// All of VIEW, in that order.
void append_json(std::string &out, const BatchView &view);
// UTC microseconds as the lines show them.
[[nodiscard]] std::string json_time(std::int64_t unix_us);

}  // namespace iptrackd::sink

#endif
