// `iptrackd check --btf FILE`: would the BPF programs find what they rely on in the kernel that FILE is of?
// Only types are compared, so that it needs neither that kernel nor root.
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "app/findings.h"
#include "app/verbs.h"
#include "loader/drift.h"
#include "loader/libbpf_log.h"

namespace iptrackd::app {
namespace {

using loader::Fit;

void check_needs(const std::vector<loader::NeedFit> &needs, bool verbose, Findings &findings) {
  std::size_t moved = 0;
  std::size_t failed = 0;
  for (const auto &need : needs) {
    const std::string line = need.name + ": " + need.words;
    moved += need.fit == Fit::moved ? 1 : 0;
    failed += is_failure(need.fit) ? 1 : 0;
    if (is_failure(need.fit)) {
      findings.bad("field", line);
    } else if (need.fit == Fit::provided_for) {
      findings.note("field", line);
    } else if (verbose) {
      findings.good("field", line);
    }
  }
  if (failed > 0) {
    findings.note("fields", fmt::format("{} of {} that the programs rely on are missing or changed", failed,
                                        needs.size()));
  } else {
    findings.good("fields",
                  fmt::format("all {} that the programs rely on are there or provided for", needs.size()));
  }
  if (moved > 0) {
    findings.note(
        "fields",
        fmt::format("{} have another offset than in the build's kernel, which the programs adapt to{}", moved,
                    verbose ? "" : " (--verbose lists them)"));
  }
}

// A hook that does not fit matters only where nothing else does its duty.
void list_hooks(const std::vector<loader::HookFit> &hooks, Findings &findings) {
  for (const auto &[hook, target, misfit] : hooks) {
    const std::string name = fmt::format("{} ({}): ", target, hook->program);
    if (misfit) {
      findings.note("hook", name + *misfit);
    } else {
      findings.good("hook", name + (hook->prototypes.empty() ? "has no types that could tell" : "fits"));
    }
  }
}

void check_duty(const loader::DutyFit &duty, Findings &findings) {
  const std::string name = std::string{duty.name} + ": ";
  if (!duty.has_mechanisms) {
    if (duty.works()) return findings.good("duty", name + "BTF tracepoints");
    return findings.bad("duty", name + "cannot work: " + *duty.fentry_obstacle);
  }
  if (!duty.works()) {
    return findings.bad("duty", fmt::format("{}cannot work; by fentry: {}; by tracepoints: {}", name,
                                            *duty.fentry_obstacle, *duty.tracepoint_obstacle));
  }
  if (duty.fentry_obstacle) return findings.note("duty", name + "tracepoints only; " + *duty.fentry_obstacle);
  if (duty.tracepoint_obstacle)
    return findings.note("duty", name + "fentry only; " + *duty.tracepoint_obstacle);
  findings.good("duty", name + "fentry or tracepoints");
}

// libbpf's own words for a file of another kind are an errno that fits by chance.
Result<loader::KernelTypes> load_types(const std::string &file) {
  if (access(file.c_str(), R_OK) != 0) {
    return fail(Fault::usage, "--btf: cannot read " + file + ": " + std::generic_category().message(errno));
  }
  loader::libbpf_log_install();
  auto kernel = loader::KernelTypes::load(file);
  if (kernel && kernel->has_member("task_struct", "pid")) return kernel;
  return fail(Fault::usage, "--btf: " + file +
                                " holds no kernel's types (BTF); wanted is a copy of a kernel's " +
                                "/sys/kernel/btf/vmlinux, or a vmlinux with a section .BTF");
}

}  // namespace

int check_btf(const std::string &file, bool verbose) {
  const auto kernel = load_types(file);
  if (!kernel) return report(kernel.error());
  const auto drift = loader::compare_types(*kernel);
  if (!drift) return report(drift.error());
  Findings findings;
  findings.good("types", file);
  check_needs(drift->needs, verbose, findings);
  if (verbose) list_hooks(drift->hooks, findings);
  for (const auto &duty : drift->duties) check_duty(duty, findings);
  return findings.failed() ? 1 : 0;
}

}  // namespace iptrackd::app
