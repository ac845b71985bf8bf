#include "core/pause.h"

#include <condition_variable>
#include <mutex>

namespace iptrackd {

void pause_for(std::chrono::milliseconds duration, const std::stop_token &stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock{mutex};
  never.wait_for(lock, stop, duration, [] { return false; });
}

}  // namespace iptrackd
