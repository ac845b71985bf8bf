// Events and losses as lines of JSON, for the driver `jsonl`.
//
//   event   {"ts": "2024-11-22T00:00:00.123456Z", "host": ..., ..., "writer": null, "received_at": null}
//           exactly the columns of the view iptrackd.activity, in its order; unknown is null
//   loss    {"loss": {"from_ts": ..., "to_ts": ..., "host": ..., "stage": ..., "kind": ..., "cause": ...,
//                     "uid": ..., "count": ...}}
//
// duration is a number of seconds with microseconds. Text is escaped as escape.h says.
#ifndef IPTRACKD_SINK_JSON_ROW_H
#define IPTRACKD_SINK_JSON_ROW_H

#include <string>

#include "core/event.h"
#include "core/loss.h"
#include "sink/sink.h"

namespace iptrackd::sink {

// Each appends one line with its newline to OUT.
void append_json(std::string &out, const Event &event, const Origin &origin);
void append_json(std::string &out, const Loss &loss, const Origin &origin);

}  // namespace iptrackd::sink

#endif
