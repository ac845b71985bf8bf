// Loss: what could not be kept, on the books by stage and cause. One row of iptrackd.loss each.
#ifndef IPTRACKD_CORE_LOSS_H
#define IPTRACKD_CORE_LOSS_H

#include <cstdint>
#include <optional>
#include <string>

#include "core/event.h"

namespace iptrackd {

struct Loss {
  std::int64_t from_unix_us = 0;  // the gap lies within [from, to], UTC microseconds
  std::int64_t to_unix_us = 0;
  std::string stage;         // "kernel", "fifo", "decoder", "spool", "sink", "daemon"
  std::string cause;         // "ring-full", "garbage", ...
  std::optional<Kind> kind;  // unknown where the record could not be read
  std::optional<std::uint32_t> uid;
  std::optional<std::uint64_t> count;  // unknown where it cannot be known
  // Where the loss was found by comparing a counter that outlives the daemon: its value up to which the
  // losses are booked now. A daemon that starts again goes on from there.
  std::optional<std::uint64_t> counter = {};
};

}  // namespace iptrackd

#endif
