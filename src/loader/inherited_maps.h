// Inherited maps: the maps of a pinned set that another set goes on with.
#ifndef IPTRACKD_LOADER_INHERITED_MAPS_H
#define IPTRACKD_LOADER_INHERITED_MAPS_H

#include <bpf/libbpf.h>

#include <string>

#include "core/result.h"
#include "loader/pin_directory.h"
#include "loader/programs.h"

namespace iptrackd::loader {

// Not the constants of the programs: each set has its own.
[[nodiscard]] bool is_inheritable(const bpf_map &map);
// Its name in the directory of its set.
[[nodiscard]] std::string pin_name(const bpf_map &map);

// SKELETON is not loaded yet. Lets every map of it be that of set NUMBER: it has the same programs.
[[nodiscard]] Result<void> inherit_all_maps(iptrackd_bpf &skeleton, std::uint32_t number,
                                            const PinDirectory &directory);

// The same where the programs may be others: a map is inherited where its sizes are the same and its key and
// value have the same types, down to the last member; the rings only where SAME_WIRE. Says whether all that
// the programs remember of processes, sockets and calls is inherited.
[[nodiscard]] bool inherit_equal_maps(iptrackd_bpf &skeleton, std::uint32_t number,
                                      const PinDirectory &directory, bool same_wire);

}  // namespace iptrackd::loader

#endif
