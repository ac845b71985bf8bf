// What could be decoded is encoded and decoded again: a second daemon must find what the first one had.
#ifndef IPTRACKD_TESTS_FUZZ_ROUND_TRIP_H
#define IPTRACKD_TESTS_FUZZ_ROUND_TRIP_H

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/event.h"
#include "core/host_event.h"
#include "core/loss.h"
#include "fuzz/demand.h"
#include "spool/codec.h"
#include "spool/field_tables.h"

namespace iptrackd::fuzz {

// All members as text, unknown told from empty. Not by the codec: what its encoder leaves out would be
// missing on both sides.
class Description {
 public:
  template <typename Value>
  void operator()(std::uint8_t tag, const Value &value) {
    text_ += std::to_string(tag) + ' ';
    add(value);
    text_ += '\n';
  }
  [[nodiscard]] const std::string &text() const { return text_; }

 private:
  template <std::integral Number>
  void add(Number number) {
    text_ += std::to_string(number);
  }
  template <typename Enum>
  requires std::is_enum_v<Enum>
  void add(Enum value) { add(static_cast<int>(value)); }
  void add(std::string_view bytes) { text_.append(std::to_string(bytes.size()) + ':').append(bytes); }
  void add(const std::string &bytes) { add(std::string_view{bytes}); }
  void add(const Text &text) { text.known() ? add(text.view()) : add_unknown(); }
  void add(const ArgList &args) { args.known() ? add(args.bytes()) : add_unknown(); }
  void add(const Address &address) { add(address.to_string()); }
  template <typename Value>
  void add(const std::optional<Value> &value) {
    value ? add(*value) : add_unknown();
  }
  void add_unknown() { text_ += '-'; }

  std::string text_;
};

inline std::string describe(const Event &event) {
  Description description;
  spool::visit_event(event, description);
  return description.text();
}
inline std::string describe(const Loss &loss) {
  Description description;
  spool::visit_loss(loss, description);
  return description.text();
}
inline std::string describe(const HostEvent &event) {
  Description description;
  spool::visit_host_event(event, description);
  return description.text();
}

template <typename What>
std::string encoded(const What &what) {
  std::string bytes;
  spool::encode(what, bytes);
  return bytes;
}

// False: PAYLOAD cannot be decoded.
template <typename What>
bool decode_and_back(std::string_view payload, What &target) {
  if (!spool::decode(payload, target)) return false;
  const std::string once = encoded(target);
  static What again;
  demand(spool::decode(once, again), "what an encoder wrote can be decoded");
  demand(describe(again) == describe(target), "what was decoded is what was encoded");
  demand(encoded(again) == once, "the same is encoded alike");
  return true;
}

}  // namespace iptrackd::fuzz

#endif
