// Fill: the walk over the keys of the file, section by section, into Config. What a key may hold, and which
// combinations are impossible, is decided here and in the headers that this one names.
#ifndef IPTRACKD_CONFIG_FILL_H
#define IPTRACKD_CONFIG_FILL_H

#include "config/config.h"
#include "config/section.h"
#include "config/tree.h"

namespace iptrackd::config {

// Reads every key of ROOT, a mapping, into a Config; where FINDINGS is not empty afterwards the result is of
// no use.
[[nodiscard]] Config fill(const TreeNode &root, Findings &findings);

// The sections that have a file of their own.
void fill_probes(Section &root, Probes &probes);
void fill_database(Section section, Database &database);
void fill_redact(Section &root, std::vector<RedactRule> &rules);
void fill_whitelist(Section section, Whitelist &whitelist);

}  // namespace iptrackd::config

#endif
