// Which file a rule means, where mounts, roots and users of other namespaces show it elsewhere or show
// another in its place.
#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "podman.h"
#include "skip.h"
#include "whitelist_ruled.h"

namespace iptrackd::scenario {
namespace {

void write_map(const char *file, const std::string &text) {
  must(static_cast<bool>(std::ofstream{file} << text << std::flush));
}

// As `unshare -Urm` of an unprivileged user does it: root in a user namespace of his own.
void become_root_of_own_namespaces() {
  must(setresgid(uid_of_nobody, uid_of_nobody, uid_of_nobody) == 0 &&
       setresuid(uid_of_nobody, uid_of_nobody, uid_of_nobody) == 0);
  // Whoever has changed his user may not write the maps before.
  must(prctl(PR_SET_DUMPABLE, 1) == 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
  write_map("/proc/self/setgroups", "deny");
  write_map("/proc/self/uid_map", "0 65534 1");
  write_map("/proc/self/gid_map", "0 65534 1");
}

bool has_user_namespaces() {
  Launch launch;
  launch.arguments = {settings().programs / "noop"};
  launch.prepare = become_root_of_own_namespaces;
  return run(launch).status == 0;
}

// The directories of an overlay and where it is mounted, for everybody.
class Overlay {
 public:
  Overlay() {
    for (const Path &path : {lower(), upper(), work(), merged()}) std::filesystem::create_directory(path);
    std::filesystem::permissions(directory_.path(), std::filesystem::perms{0755});
    const std::string options =
        "lowerdir=" + lower().string() + ",upperdir=" + upper().string() + ",workdir=" + work().string();
    program_ = copy_of_oracle(lower(), "program");
    is_mounted_ = mount("overlay", merged().c_str(), "overlay", 0, options.c_str()) == 0;
  }
  ~Overlay() {
    if (is_mounted_) umount2(merged().c_str(), MNT_DETACH);
  }
  Overlay(const Overlay &) = delete;
  Overlay &operator=(const Overlay &) = delete;

  [[nodiscard]] bool is_mounted() const { return is_mounted_; }
  [[nodiscard]] Path lower() const { return directory_.path() / "lower"; }
  [[nodiscard]] Path upper() const { return directory_.path() / "upper"; }
  [[nodiscard]] Path merged() const { return directory_.path() / "merged"; }

 private:
  [[nodiscard]] Path work() const { return directory_.path() / "work"; }

  TemporaryDirectory directory_;
  Path program_;
  bool is_mounted_ = false;
};

}  // namespace

TEST_CASE("whitelist: a bind mount shows the same file") {
  Ruled ruled;
  const Path elsewhere = ruled.directory() / "elsewhere";
  write_file(elsewhere, "");
  CHECK(ruled.outcome(elsewhere, [&] {
    enter_own_mounts();
    bind_over(ruled.path(), elsewhere);
  }) == Outcome::dropped);
}

TEST_CASE("whitelist: another program mounted over the path is another file") {
  Ruled ruled;
  const Path own = copy_of_oracle(ruled.directory(), "own");
  CHECK(ruled.outcome(ruled.path(), [&] {
    enter_own_mounts();
    bind_over(own, ruled.path());
  }) == Outcome::stored);
}

TEST_CASE("whitelist: a user mounts his program over the path in a namespace of his own") {
  if (!has_user_namespaces()) return skip("users may not make user namespaces here");
  Ruled ruled;
  const Path own = copy_of_oracle(ruled.directory(), "own");
  REQUIRE(chown(own.c_str(), uid_of_nobody, uid_of_nobody) == 0);
  CHECK(ruled.outcome(ruled.path(), [&] {
    become_root_of_own_namespaces();
    bind_over(own, ruled.path());
  }) == Outcome::stored);
  // The original is what it is, in his namespaces as outside of them.
  CHECK(ruled.outcome(ruled.path(), become_root_of_own_namespaces) == Outcome::dropped);
  CHECK(ruled.outcome(ruled.path(), {}, uid_of_nobody) == Outcome::dropped);
}

TEST_CASE("whitelist: a copy at the same path in a chroot is another file") {
  Ruled ruled;
  const TemporaryDirectory root;
  const Path inside = root.path() / ruled.directory().relative_path();
  std::filesystem::create_directories(inside);
  std::filesystem::create_directory(root.path() / "proc");
  (void)copy_of_oracle(inside, "program");
  const auto enter = [&] {
    enter_own_mounts();
    bind_over("/proc", root.path() / "proc");
    must(chroot(root.path().c_str()) == 0 && chdir("/") == 0);
  };
  CHECK(ruled.outcome(ruled.path(), enter) == Outcome::stored);
  // The file itself, seen from another root.
  CHECK(ruled.outcome(ruled.path(), [&] {
    enter_own_mounts();
    bind_over(ruled.path(), inside / "program");
    bind_over("/proc", root.path() / "proc");
    must(chroot(root.path().c_str()) == 0 && chdir("/") == 0);
  }) == Outcome::dropped);
}

TEST_CASE("whitelist: a rule for a file of an overlay") {
  const Overlay overlay;
  if (!overlay.is_mounted()) return skip("this kernel mounts no overlay");
  const Ruled ruled{overlay.merged() / "program"};
  CHECK(ruled.outcome(overlay.lower() / "program") == Outcome::stored);
  CHECK(ruled.outcome(copy_of_oracle(overlay.merged(), "copy")) == Outcome::stored);
}

TEST_CASE("whitelist: a rule for a file that was written through an overlay") {
  const Overlay overlay;
  if (!overlay.is_mounted()) return skip("this kernel mounts no overlay");
  const Ruled ruled{copy_of_oracle(overlay.merged(), "own")};
  CHECK(ruled.outcome(overlay.upper() / "own") == Outcome::stored);
}

TEST_CASE("whitelist: a file at the same path in a container is another file") {
  if (!has_podman()) return skip("there is no podman here");
  Ruled ruled;
  const Podman podman{"/", ruled.path().relative_path()};
  const Launch launch = podman.launch({"--pid=host", "--cgroupns=host"}, {ruled.path().string(), "service"});
  CHECK(outcome_of(ruled.rows(), launch) == Outcome::stored);
  CHECK(ruled.outcome(ruled.path()) == Outcome::dropped);
}

}  // namespace iptrackd::scenario
