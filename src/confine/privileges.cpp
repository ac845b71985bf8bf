#include "confine/privileges.h"

#include <cap-ng.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace iptrackd::confine {
namespace {

bool has_no_new_privileges() noexcept {
  return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

// It takes CAP_SETPCAP. Where that is missing, no_new_privs alone sees to it that nothing comes back.
bool empty_bounding_set() {
  if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) == 0) return has_no_new_privileges();
  capng_clear(CAPNG_SELECT_BOUNDS);
  return capng_apply(CAPNG_SELECT_BOUNDS) == 0;
}

bool make_none_effective() {
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    if (capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, static_cast<unsigned>(capability)) != 0) return false;
  }
  return capng_apply(CAPNG_SELECT_CAPS) == 0;
}

bool keep_for_maps() {
  constexpr auto sets = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED);
  return capng_updatev(CAPNG_ADD, sets, CAP_BPF, CAP_PERFMON, -1) == 0;
}

}  // namespace

void protect_process() noexcept {
  const rlimit no_core{0, 0};
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  (void)setrlimit(RLIMIT_CORE, &no_core);
}

Result<void> forbid_new_privileges() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) return {};
  return fail_errno("cannot set no_new_privs");
}

Result<bool> drop_capabilities(const std::function<bool()> &works_without) {
  constexpr const char *refused = "cannot give up capabilities: the system refuses";
  if (capng_get_caps_process() != 0) return fail(Fault::environment, "cannot read the capabilities");
  if (!empty_bounding_set() || !make_none_effective()) return fail(Fault::environment, refused);
  const bool keeps = !works_without();
  capng_clear(CAPNG_SELECT_CAPS);
  if ((keeps && !keep_for_maps()) || capng_apply(CAPNG_SELECT_CAPS) != 0)
    return fail(Fault::environment, refused);
  // Ambient ones go with the permitted.
  return keeps;
}

}  // namespace iptrackd::confine
