// What systemd holds for the daemon while it is away.
#ifndef IPTRACKD_APP_ACTIVATION_H
#define IPTRACKD_APP_ACTIVATION_H

#include <string>

#include "core/fd.h"
#include "core/result.h"

namespace iptrackd::app {

// The FIFO at PATH, from iptrackd-pam.socket; empty: systemd holds nothing for us. Asked once. Fault usage:
// it holds something else.
[[nodiscard]] Result<Fd> inherited_fifo(const std::string &path);

}  // namespace iptrackd::app

#endif
