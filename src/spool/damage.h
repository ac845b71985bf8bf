// Damage: records that were written and cannot be read any more.
#ifndef IPTRACKD_SPOOL_DAMAGE_H
#define IPTRACKD_SPOOL_DAMAGE_H

#include <cstdint>
#include <optional>
#include <string>

#include "core/loss.h"

namespace iptrackd::spool {

struct Damage {
  std::uint64_t first_index = 0;
  // Unknown where a crash tore the end of the spool; 0 where only a segment's header is lost.
  std::optional<std::uint64_t> count;
  std::int64_t from_unix_us = 0;  // between these times; 0: unknown
  std::int64_t to_unix_us = 0;
  std::string file;
  std::string what;
};

// The indexes that a damage means.
struct Range {
  std::uint64_t first = 0;
  std::optional<std::uint64_t> count;
};

// The row that books it.
[[nodiscard]] inline Loss loss_of(const Damage &damage) {
  return {damage.from_unix_us, damage.to_unix_us, "spool", "damaged", {}, {}, damage.count, {}};
}

}  // namespace iptrackd::spool

#endif
