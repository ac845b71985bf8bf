// The connects of a program that sends with its first packet (TCP Fast Open, RFC 7413).
#ifndef IPTRACKD_TESTS_PROGRAMS_FAST_OPEN_H
#define IPTRACKD_TESTS_PROGRAMS_FAST_OPEN_H

#include <memory>

#include "ways.h"

namespace iptrackd::oracle {

enum class FastOpen {
  by_sendto,  // sendto(MSG_FASTOPEN), without any connect
  by_option,  // TCP_FASTOPEN_CONNECT: connect returns at once, and the first send connects
};
// AT_ONCE: without having met the server before, so that the very first SYN carries what is sent. That is a
// setting of the network namespace, which must be this process's own.
[[nodiscard]] std::unique_ptr<Calls> fast_open_calls(FastOpen how, bool at_once);

}  // namespace iptrackd::oracle

#endif
