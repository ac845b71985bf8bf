// A pause that ends at once when the thread is told to stop.
#ifndef IPTRACKD_CORE_PAUSE_H
#define IPTRACKD_CORE_PAUSE_H

#include <chrono>
#include <stop_token>

namespace iptrackd {

void pause_for(std::chrono::milliseconds duration, const std::stop_token &stop);

}  // namespace iptrackd

#endif
