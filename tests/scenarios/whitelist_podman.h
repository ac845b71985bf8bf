// Podman with storage of its own and one image, which holds one program.
#ifndef IPTRACKD_TESTS_SCENARIOS_WHITELIST_PODMAN_H
#define IPTRACKD_TESTS_SCENARIOS_WHITELIST_PODMAN_H

#include "whitelist.h"

namespace iptrackd::scenario {

class WhitelistPodman {
 public:
  // PROGRAM stands at the same path in the image.
  explicit WhitelistPodman(const Path &program);

  // WORDS in a container that shares the host's pids and network.
  [[nodiscard]] Launch launch_of(const Words &words) const;

 private:
  [[nodiscard]] Launch launch(const Words &words) const;

  TemporaryDirectory directory_;
};

[[nodiscard]] bool has_podman();

}  // namespace iptrackd::scenario

#endif
