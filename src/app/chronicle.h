// Chronicle: what befalls the daemon itself, for iptrackd.host_event, and the gaps that come of it.
#ifndef IPTRACKD_APP_CHRONICLE_H
#define IPTRACKD_APP_CHRONICLE_H

#include <string>

#include "config/config.h"
#include "loader/tracer.h"
#include "spool/spool.h"

namespace iptrackd::app {

// Notes that the daemon has begun, and how: after an orderly stop or a crash, with hooks that went on without
// it or with new ones. In the last case nobody knows what happened since the newest record of the spool: a
// loss of unknown count is booked. What PROBES leave out is noted too: coverage() calls that time blind.
void note_beginning(spool::Spool &spool, const loader::Tracer &tracer, const config::Probes &probes);

// Notes KIND ("stop", "reload", "hook-lost", ...), which happens now.
void note(spool::Spool &spool, std::string kind, std::string detail);

}  // namespace iptrackd::app

#endif
