#include "app/confinement.h"

#include <spdlog/spdlog.h>

#include "confine/privileges.h"
#include "confine/system_calls.h"

namespace iptrackd::app {

Result<void> confine_thread(const loader::Tracer &tracer) {
  const auto keeps = confine::drop_capabilities([&tracer] { return tracer.can_read_maps(); });
  if (!keeps) return tl::unexpected{keeps.error()};
  if (*keeps) spdlog::debug("CAP_BPF and CAP_PERFMON stay: this kernel shows maps to nobody else");
  if (auto forbidden = confine::forbid_new_privileges(); !forbidden) return forbidden;
  if (auto filtered = confine::filter_system_calls(); !filtered)
    spdlog::warn("system calls are not filtered: {}", filtered.error().message());
  return {};
}

}  // namespace iptrackd::app
