// Sidecar: the daemon in the container that packaging/container makes, under podman, with the privileges that
// docs/container.md names and no others.
#ifndef IPTRACKD_TESTS_SCENARIOS_SIDECAR_H
#define IPTRACKD_TESTS_SCENARIOS_SIDECAR_H

#include <memory>
#include <string>

#include "daemon.h"
#include "deed.h"
#include "podman.h"

namespace iptrackd::scenario {

class Sidecar {
 public:
  // Makes image, volumes and database; nothing runs yet.
  Sidecar();
  ~Sidecar();
  Sidecar(const Sidecar &) = delete;
  Sidecar &operator=(const Sidecar &) = delete;

  // Returns when the daemon has said that it is ready, or that it is not; throws with its output where it
  // ends.
  void start();
  // kill -9 of all that is in the container, which is removed.
  void kill();
  // A container that ends by itself: VERB, with NAMESPACES as the only options of that kind.
  [[nodiscard]] Ended run_once(const std::string &verb, const Words &namespaces) const;

  [[nodiscard]] Rows &rows() { return *rows_; }
  [[nodiscard]] const Prepared &prepared() const { return prepared_; }
  // What the host sees of the volumes.
  [[nodiscard]] Path fifo() const { return volume("run") / "pam.fifo"; }
  [[nodiscard]] Path callback() const { return volume("state") / "iptrackd-pam-callback"; }

 private:
  [[nodiscard]] Path volume(const char *name) const { return directory_.path() / name; }
  [[nodiscard]] Launch launch(const std::string &verb, const Words &namespaces) const;
  void configure();

  TemporaryDirectory directory_;
  Prepared prepared_;
  std::unique_ptr<Podman> podman_;
  std::unique_ptr<Process> process_;  // podman, for as long as the container runs
  std::unique_ptr<Rows> rows_;
};

}  // namespace iptrackd::scenario

#endif
