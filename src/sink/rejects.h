// Rejects: a file of the entries that the database refused, for people.
//
//   {"time": "2024-11-22T00:00:00.123456Z", "reason": "... [SQLSTATE 23514]", "entry": {a line of
//   json_row.h}}
//
// Mode 0600, a regular file of this user's, no symbolic link. When it is full it becomes FILE.1, and what was
// there is gone. An entry may be there twice after a crash, never not at all. Used by one thread.
#ifndef IPTRACKD_SINK_REJECTS_H
#define IPTRACKD_SINK_REJECTS_H

#include <cstdint>
#include <string>

#include "core/batch.h"
#include "core/result.h"

namespace iptrackd::sink {

class Rejects {
 public:
  static constexpr std::uint64_t usual_limit = 64U << 20;

  explicit Rejects(std::string path, std::uint64_t limit = usual_limit)
      : path_{std::move(path)}, limit_{limit} {}

  // Appends the entries of VIEW; they are on the disk when it returns. Fault environment.
  [[nodiscard]] Result<void> append(const BatchView &view, const Error &reason) const;

 private:
  std::string path_;
  std::uint64_t limit_;  // bytes
};

}  // namespace iptrackd::sink

#endif
