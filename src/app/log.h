// The daemon's own log: stderr, one line a message, for the journal or a terminal. Only app logs; what comes
// from outside is escaped before it gets here.
#ifndef IPTRACKD_APP_LOG_H
#define IPTRACKD_APP_LOG_H

#include <string>
#include <string_view>

#include "config/config.h"
#include "core/result.h"

namespace iptrackd::app {

void log_to_stderr();
void set_log_level(config::LogLevel level);

// TEXT with control characters as \xHH, so that no name from outside can forge a line.
[[nodiscard]] std::string printable(std::string_view text);

// For the end of a verb: prints ERROR on stderr, each of its lines as it is, and returns its exit code.
int report(const Error &error);

}  // namespace iptrackd::app

#endif
