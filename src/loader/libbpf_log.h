// libbpf speaks through one callback for the whole process. It is kept here, and taken as the reason of an
// error; a library room does not log.
#ifndef IPTRACKD_LOADER_LIBBPF_LOG_H
#define IPTRACKD_LOADER_LIBBPF_LOG_H

#include <string>

namespace iptrackd::loader {

// Thread-safe; idempotent.
void libbpf_log_install() noexcept;
// What libbpf has warned of in this thread since the last call, as one line: its first warning, and the
// verifier's last word.
[[nodiscard]] std::string libbpf_log_take();

}  // namespace iptrackd::loader

#endif
