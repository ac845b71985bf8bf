// The daemon in a container sees the host: what happens there, in other containers, and who logs in.
#include <doctest/doctest.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <thread>

#include "load.h"
#include "sidecar.h"
#include "skip.h"
#include "sshd.h"

namespace iptrackd::scenario {
namespace {

using std::chrono::seconds;

bool tells(const std::string &text, const std::string &word) {
  return text.find(word) != std::string::npos;
}

bool has_bpf_file_system() {
  struct statfs file_system {};
  return statfs("/sys/fs/bpf", &file_system) == 0 && file_system.f_type == BPF_FS_MAGIC;
}

void check_blind(const Sidecar &sidecar, const Words &namespaces, const std::string &missing) {
  for (const char *verb : {"run", "check"}) {
    CAPTURE(verb);
    const Ended ended = sidecar.run_once(verb, namespaces);
    const std::string said = ended.out + ended.err;
    CAPTURE(said);
    CHECK(ended.status == 1);
    CHECK(tells(said, "start its container with " + missing));
    for (const auto &there : namespaces) CHECK_FALSE(tells(said, there));
    CHECK_FALSE(has_pins(sidecar.prepared()));
  }
}

}  // namespace

TEST_CASE("sidecar: one that would see only its own container is refused with what to add") {
  if (!has_podman()) return skip("there is no podman here");
  const Sidecar sidecar;
  check_blind(sidecar, {"--pid=host", "--cgroupns=private"}, "--cgroupns=host");
  check_blind(sidecar, {"--cgroupns=host"}, "--pid=host");
}

TEST_CASE("sidecar: events of the host and of another container with its id") {
  if (!has_podman()) return skip("there is no podman here");
  Sidecar sidecar;
  sidecar.start();
  const std::int64_t since = now_us();
  check_facts(sidecar.rows(), facts_of(oracle({"all"})), since);
  const Podman podman{settings().programs, "oracle"};
  Facts facts = facts_of(podman.launch({"--pid=host", "--cgroupns=host"}, {"/oracle", "all"}));
  CHECK(podman.id().size() == 64);
  for (Json &event : facts) event["container"] = podman.id();
  check_facts(sidecar.rows(), facts, since);
}

TEST_CASE("sidecar: a login on the host by the callback that was copied out") {
  if (!has_podman()) return skip("there is no podman here");
  Sidecar sidecar;
  sidecar.start();
  const Sshd sshd{sidecar.fifo(), sidecar.callback()};
  const std::int64_t since = now_us();
  constexpr int logins = 3;
  REQUIRE(sshd.log_in("login", logins).size() == logins);
  // The callback of the last close runs after the client has gone.
  CHECK(eventually(seconds{20}, [&] {
    Counts counts = sidecar.rows().of_others(-1, since, now_us());
    return counts["open_session"] == logins && counts["close_session"] == logins;
  }));
  if (!sidecar.prepared().connection) return;
  CHECK(execute(*sidecar.prepared().connection,
                "SELECT count(*) FROM iptrackd.activity WHERE kind = 'open_session' AND marks = '{}'") ==
        std::to_string(logins));
}

TEST_CASE("sidecar: killed and replaced under load it has lost nothing") {
  if (!has_podman()) return skip("there is no podman here");
  if (!has_bpf_file_system()) return skip("there is no bpf file system to keep the programs in");
  Sidecar sidecar;
  sidecar.start();
  const std::int64_t since = now_us();
  Process load{generator({"events=20000", "per-second=" + std::to_string(lasting_rate)})};
  int replaced = 0;
  for (; replaced < 3 && !load.wait(Milliseconds{0}); ++replaced) {
    std::this_thread::sleep_for(seconds{1});
    sidecar.kill();
    CHECK(has_pins(sidecar.prepared()));
    sidecar.start();
  }
  CHECK(replaced == 3);
  REQUIRE(load.wait(std::chrono::minutes{2}) == 0);
  wait_for_rows(sidecar.rows(), seconds{60});
  check_stored_once(sidecar.rows(), generated_by(load.out()), since);
  CHECK(sidecar.rows().disorder(since) == 0);
}

}  // namespace iptrackd::scenario
