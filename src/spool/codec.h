// Codec: events, losses and host events to payloads and back; the form is drawn in fields.h.
//
// Encoders append to TO and allocate nothing else. Decoders take hostile bytes: they read within PAYLOAD
// only, return false where a length, an order of tags or a value out of range shows that no encoder wrote
// this, and keep the strings' memory. What they leave in the target is then unspecified. Functions without
// state; thread-safe.
#ifndef IPTRACKD_SPOOL_CODEC_H
#define IPTRACKD_SPOOL_CODEC_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/event.h"
#include "core/host_event.h"
#include "core/loss.h"
#include "spool/damage.h"

namespace iptrackd::spool {

void encode(const Event &event, std::string &to);
void encode(const Loss &loss, std::string &to);
void encode(const HostEvent &event, std::string &to);
// A loss that is the booking of DAMAGE.
void encode(const Damage &damage, std::string &to);

[[nodiscard]] bool decode(std::string_view payload, Event &event);
[[nodiscard]] bool decode(std::string_view payload, Loss &loss);
[[nodiscard]] bool decode(std::string_view payload, HostEvent &event);

// The records whose damage this loss books; nullopt: it is another loss.
[[nodiscard]] std::optional<Range> decode_range(std::string_view loss_payload);

// What a recovery wants to know of an event, without decoding the rest.
struct Peek {
  std::int64_t unix_us = 0;
  std::uint64_t seq = 0;
  std::uint32_t ring = 0;
  std::uint64_t ring_position = 0;
  std::uint8_t kind = 0;
  bool has_environment = false;
};
[[nodiscard]] Peek peek(std::string_view event_payload) noexcept;

}  // namespace iptrackd::spool

#endif
