// Load: from a configuration file and its drop-ins to a checked Config.
#ifndef IPTRACKD_CONFIG_LOAD_H
#define IPTRACKD_CONFIG_LOAD_H

#include <string>

#include "config/config.h"
#include "core/result.h"

namespace iptrackd::config {

// Reads FILE, lays its drop-ins upon it in the order of list_drop_ins() (files.h; mappings merge key by key,
// everything else is replaced), checks everything and fills in defaults, the node name for host-name
// included.
//
// Error: always Fault::usage; one line "FILE:LINE:COLUMN: what is wrong; what would be right" for each error
// found, separated by '\n'. What cannot be read or parsed hides the errors that lie beyond it. A file
// that holds a password and can be read or written by group or others is an error. Throws nothing.
// Thread-safe.
[[nodiscard]] Result<Config> load(const std::string &file);

}  // namespace iptrackd::config

#endif
