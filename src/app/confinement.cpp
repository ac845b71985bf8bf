#include "app/confinement.h"

#include <spdlog/spdlog.h>

#include "confine/privileges.h"
#include "confine/system_calls.h"

namespace iptrackd::app {

Result<void> confine_thread(const loader::Tracer &tracer) {
  // First: where the bounding set may not be emptied, this alone sees to it that nothing comes back.
  if (auto forbidden = confine::forbid_new_privileges(); !forbidden) return forbidden;
  const auto keeps = confine::drop_capabilities([&tracer] { return tracer.can_read_maps(); });
  if (!keeps) return tl::unexpected{keeps.error()};
  if (*keeps) spdlog::debug("CAP_BPF and CAP_PERFMON stay: this kernel shows maps to nobody else");
  if (auto filtered = confine::filter_system_calls(); !filtered)
    spdlog::warn("system calls are not filtered: {}", filtered.error().message());
  return {};
}

}  // namespace iptrackd::app
