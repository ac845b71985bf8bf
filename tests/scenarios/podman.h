// Podman with storage of its own and one image, which holds one program, or a tree of them.
#ifndef IPTRACKD_TESTS_SCENARIOS_PODMAN_H
#define IPTRACKD_TESTS_SCENARIOS_PODMAN_H

#include <string>

#include "daemon.h"
#include "deed.h"
#include "process.h"

namespace iptrackd::scenario {

class Podman {
 public:
  // May its containers open all devices (--privileged), or those that any container may?
  enum class Devices { all, limited };

  // PROGRAM, a path relative to ROOT, stands at the same place in the image; "." is all of ROOT.
  Podman(const Path &root, const Path &program, Devices devices = Devices::all);
  ~Podman();
  Podman(const Podman &) = delete;
  Podman &operator=(const Podman &) = delete;

  // WORDS in a container that shares the host's network, with OPTIONS of `podman run`; once.
  [[nodiscard]] Launch launch(const Words &options, const Words &words) const;
  // Of the container that was started.
  [[nodiscard]] std::string id() const;
  // The same with no more privileges than OPTIONS say, by NAME, as often as no container of that name runs.
  [[nodiscard]] Launch launch_confined(const std::string &name, const Words &options,
                                       const Words &words) const;
  // Kills all of NAME; false: there was no such container. `podman run` ends then.
  [[nodiscard]] bool kill(const std::string &name) const;

 private:
  [[nodiscard]] Path path(const char *name) const { return directory_.path() / name; }
  [[nodiscard]] Launch podman(const Words &words) const;
  [[nodiscard]] Launch run_image(const Words &first, const Words &options, const Words &words) const;

  TemporaryDirectory directory_;
  bool by_version_1_;
};

[[nodiscard]] bool has_podman();

}  // namespace iptrackd::scenario

#endif
