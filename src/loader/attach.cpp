#include "loader/attach.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string>

#include "core/fd.h"
#include "loader/kernel_mounts.h"
#include "loader/libbpf_log.h"
#include "loader/planted_fault.h"

namespace iptrackd::loader {
namespace {

Result<std::uint64_t> tracepoint_id(const Fd &tracefs, std::string_view category_and_name) {
  const std::string path = "events/" + std::string{category_and_name} + "/id";
  const Fd file{openat(tracefs.get(), path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) return fail_errno("tracefs has no " + path);
  std::array<char, 32> text{};
  const auto size = read(file.get(), text.data(), text.size());
  std::uint64_t id = 0;
  if (size <= 0 || std::from_chars(text.data(), text.data() + size, id).ec != std::errc{}) {
    return fail(Fault::environment, "tracefs shows no number in " + path);
  }
  return id;
}

Result<Link> checked(bpf_link *link) {
  const int error = errno;
  if (link == nullptr) return fail_errno("cannot attach: " + libbpf_log_take(), error);
  return Link{link};
}

// libbpf would look for a mounted tracefs; ours is not mounted anywhere.
Result<Link> attach_tracepoint(const bpf_program &program, const Result<Fd> &tracefs, std::string_view name) {
  if (!tracefs) return tl::unexpected{tracefs.error()};
  const auto id = tracepoint_id(*tracefs, name);
  if (!id) return tl::unexpected{id.error()};
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.size = sizeof(attributes);
  attributes.config = *id;
  // One event on CPU 0 serves all CPUs: a BPF program of a tracepoint runs wherever it is hit.
  Fd event{static_cast<int>(syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC))};
  if (!event) return fail_errno("perf_event_open");
  auto link = checked(bpf_program__attach_perf_event(&program, event.get()));
  if (link) (void)event.release();  // the link owns it now
  return link;
}

// A control group's programs see its own tasks only. In a control group namespace of its own a process takes
// its own group for the root, whose number is 1.
Result<Fd> open_root_cgroup() {
  auto root = open_kernel_file_system("cgroup2");
  struct stat status {};
  if (!root) return root;
  if (fstat(root->get(), &status) != 0) return fail_errno("cannot look at the root of the control groups");
  if (status.st_ino == 1) return root;
  return fail(Fault::environment,
              "the root of the control groups is not the host's; share its namespace (--cgroupns=host)");
}

// An iterator shows its program every object that there is, while it is read; it prints nothing.
Result<void> run_iterator(const bpf_program &program) {
  const auto link = checked(bpf_program__attach_iter(&program, nullptr));
  if (!link) return tl::unexpected{link.error()};
  const Fd objects{bpf_iter_create(bpf_link__fd(link->get()))};
  if (!objects) return fail_errno("cannot run the iterator");
  std::array<char, 64> nothing{};
  for (;;) {
    const auto size = read(objects.get(), nothing.data(), nothing.size());
    if (size == 0) return {};
    // EAGAIN: it has been at it for so long that it lets others run (bpf_seq_read in the kernel's bpf_iter.c)
    if (size < 0 && errno != EAGAIN && errno != EINTR) return fail_errno("the iterator breaks off");
  }
}

// The file systems that some hooks hang on; each may be missing for its own reason.
struct Roots {
  Result<Fd> cgroup = open_root_cgroup();
  Result<Fd> tracefs = open_kernel_file_system("tracefs");
};

const bpf_program *program_of(const bpf_object &object, const HookStatus &status) {
  return bpf_object__find_program_by_name(&object, std::string{status.hook->program}.c_str());
}

Result<Link> attach_one(const bpf_program &program, const HookStatus &status, const Roots &roots) {
  if (has_fault("silent", status.hook->program)) return Link{};
  if (status.mechanism() == "cgroup") {
    if (!roots.cgroup) return tl::unexpected{roots.cgroup.error()};
    return checked(bpf_program__attach_cgroup(&program, roots.cgroup->get()));
  }
  if (status.mechanism() == "tracepoint") return attach_tracepoint(program, roots.tracefs, status.function());
  return checked(bpf_program__attach(&program));
}

}  // namespace

std::vector<AttachedHook> attach_hooks(const bpf_object &object, const std::vector<HookStatus> &hooks,
                                       Refusals &refusals) {
  const Roots roots;
  std::vector<AttachedHook> attached;
  for (const HookStatus &status : hooks) {
    if (status.state != HookState::attached || status.mechanism() == "iter") continue;
    const auto *program = program_of(object, status);
    auto link = attach_one(*program, status, roots);
    if (link) {
      attached.push_back(
          {status.hook->number, std::move(*link), Fd{fcntl(bpf_program__fd(program), F_DUPFD_CLOEXEC, 0)}});
    } else {
      refusals.emplace(status.hook->number, link.error().message());
    }
  }
  return attached;
}

void run_iterators(const bpf_object &object, const std::vector<HookStatus> &hooks, Refusals &refusals) {
  for (const HookStatus &status : hooks) {
    if (status.state != HookState::attached || status.mechanism() != "iter") continue;
    if (has_fault("silent", status.hook->program)) continue;
    const auto run = run_iterator(*program_of(object, status));
    if (!run) refusals.emplace(status.hook->number, run.error().message());
  }
}

}  // namespace iptrackd::loader
