// HostEvent: what befell the daemon itself. One row of iptrackd.host_event each.
#ifndef IPTRACKD_CORE_HOST_EVENT_H
#define IPTRACKD_CORE_HOST_EVENT_H

#include <cstdint>
#include <string>

namespace iptrackd {

struct HostEvent {
  std::int64_t unix_us = 0;  // UTC microseconds
  std::string kind;          // "start", "stop", "crash", "takeover", "reload", "left-out", "hook-lost", ...
  std::string detail;        // one line for people; empty: none
};

}  // namespace iptrackd

#endif
