// Podman with storage of its own and one image, which holds one program.
#ifndef IPTRACKD_TESTS_SCENARIOS_PODMAN_H
#define IPTRACKD_TESTS_SCENARIOS_PODMAN_H

#include <string>

#include "daemon.h"
#include "deed.h"
#include "process.h"

namespace iptrackd::scenario {

class Podman {
 public:
  // PROGRAM, a path relative to ROOT, stands at the same place in the image.
  Podman(const Path &root, const Path &program);
  ~Podman();
  Podman(const Podman &) = delete;
  Podman &operator=(const Podman &) = delete;

  // WORDS in a container that shares the host's network, with OPTIONS of `podman run`; once.
  [[nodiscard]] Launch launch(const Words &options, const Words &words) const;
  // Of the container that was started.
  [[nodiscard]] std::string id() const;

 private:
  [[nodiscard]] Path path(const char *name) const { return directory_.path() / name; }
  [[nodiscard]] Launch podman(const Words &words) const;

  TemporaryDirectory directory_;
};

[[nodiscard]] bool has_podman();

}  // namespace iptrackd::scenario

#endif
