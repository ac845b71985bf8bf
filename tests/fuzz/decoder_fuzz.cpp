// A record of a ring: whatever its bytes are, the decoder reads nothing beyond them.
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/event.h"
#include "loader/decoder.h"
#include "loader/redactor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace iptrackd;
  static const auto redactor = loader::Redactor::create({{"*", "--password[= \n]([^\n]*)", "fuzz"}});
  static Event event;
  event.reset();
  if (loader::decode(std::as_bytes(std::span{data, size}), event) == loader::DecodeError::none) {
    redactor->apply(event);
  }
  return 0;
}
