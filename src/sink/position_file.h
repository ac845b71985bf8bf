// PositionFile: beside a file of lines, up to which position of which spool it reaches.
//
//   FILE.position:  iptrackd-position 1 SPOOL INDEX TOKEN SIZE DEVICE INODE CHECK
//
// SIZE is that of the lines' file then, DEVICE and INODE say which file that was; CHECK is the sum of the
// bytes before it. The file is replaced as a whole, after the lines are on the disk: what the lines' file has
// beyond SIZE was never said to be stored.
#ifndef IPTRACKD_SINK_POSITION_FILE_H
#define IPTRACKD_SINK_POSITION_FILE_H

#include <cstdint>
#include <optional>
#include <string>

#include "core/batch.h"
#include "core/result.h"

namespace iptrackd::sink {

class PositionFile {
 public:
  struct Record {
    std::string spool;
    Position position;
    std::uint64_t size = 0;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
  };

  explicit PositionFile(std::string path) : path_{std::move(path)} {}

  // nullopt: there is none yet. Fault environment: it cannot be read, or is not what write() wrote.
  [[nodiscard]] Result<std::optional<Record>> read() const;
  // Durable when it returns. After a failure the old record stands, or the new one.
  [[nodiscard]] Result<void> write(const Record &record) const;

 private:
  std::string path_;
};

}  // namespace iptrackd::sink

#endif
