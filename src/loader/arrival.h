// Arrival: how a daemon found the kernel side.
#ifndef IPTRACKD_LOADER_ARRIVAL_H
#define IPTRACKD_LOADER_ARRIVAL_H

#include <cstdint>

namespace iptrackd::loader {

enum class Arrival : std::uint8_t {
  fresh,     // nothing was there, or it had not seen everything: what happened before is lost
  adopted,   // the same programs go on, without having noticed anything
  replaced,  // other programs took over from those that were there, in one instant
};

}  // namespace iptrackd::loader

#endif
