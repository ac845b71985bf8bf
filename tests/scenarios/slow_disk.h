// SlowDisk: the calls by which a daemon's events reach the disk, counted or held up, by strace.
#ifndef IPTRACKD_TESTS_SCENARIOS_SLOW_DISK_H
#define IPTRACKD_TESTS_SCENARIOS_SLOW_DISK_H

#include "daemon.h"

namespace iptrackd::scenario {

class SlowDisk {
 public:
  // From now on each fdatasync of DAEMON takes DELAY longer. Throws where strace cannot do it.
  explicit SlowDisk(const Daemon &daemon, std::chrono::seconds delay = {});
  ~SlowDisk();
  SlowDisk(const SlowDisk &) = delete;
  SlowDisk &operator=(const SlowDisk &) = delete;

  // How many there have been.
  [[nodiscard]] int syncs() const;

  [[nodiscard]] static bool is_possible();

 private:
  TemporaryDirectory directory_;
  Path trace_;
  Process strace_;
};

}  // namespace iptrackd::scenario

#endif
