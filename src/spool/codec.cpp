#include "spool/codec.h"

#include <algorithm>
#include <concepts>
#include <type_traits>

#include "spool/field_tables.h"
#include "spool/fields.h"

namespace iptrackd::spool {
namespace {

std::string_view text_of(const Address &address) {
  const std::size_t size = address.family == Address::Family::ipv4 ? 4 : 16;
  return {reinterpret_cast<const char *>(address.bytes.data()), size};
}

class Encoder {
 public:
  explicit Encoder(std::string &to) noexcept : to_{to} {}

  // 0 is what these have when nobody set them, so that no field says the same.
  template <std::integral Number>
  void operator()(std::uint8_t tag, Number number) {
    if (number != 0) put(tag, number);
  }
  void operator()(std::uint8_t tag, Kind kind) { put(tag, kind); }
  void operator()(std::uint8_t tag, const std::string &text) {
    if (!text.empty()) put(tag, text);
  }
  void operator()(std::uint8_t tag, const Text &text) {
    if (text.known()) put(tag, text.view());
  }
  void operator()(std::uint8_t tag, const ArgList &args) {
    if (args.known()) put(tag, args.bytes());
  }
  template <typename Value>
  void operator()(std::uint8_t tag, const std::optional<Value> &value) {
    if (value) put(tag, *value);
  }

 private:
  template <std::integral Number>
  void put(std::uint8_t tag, Number number) {
    char bytes[2 + sizeof(Number)] = {static_cast<char>(tag), static_cast<char>(sizeof(Number))};
    store_number(&bytes[2], number);
    to_.append(&bytes[0], sizeof(bytes));
  }
  template <typename Enum>
  requires std::is_enum_v<Enum>
  void put(std::uint8_t tag, Enum value) { put(tag, static_cast<std::uint8_t>(value)); }
  void put(std::uint8_t tag, bool value) { put(tag, static_cast<std::uint8_t>(value)); }
  void put(std::uint8_t tag, std::string_view bytes) { append_field(to_, tag, bytes); }
  void put(std::uint8_t tag, const Address &address) { put(tag, text_of(address)); }

  std::string &to_;
};

// Walks table and payload side by side: both rise.
class Decoder {
 public:
  explicit Decoder(std::string_view payload) noexcept : fields_{payload} { advance(); }

  template <typename Value>
  void operator()(std::uint8_t tag, Value &value) {
    while (ok_ && has_field_ && fields_.tag() < tag) advance();
    if (!ok_ || !has_field_ || fields_.tag() != tag) return;
    ok_ = get(value);
    if (ok_) advance();
  }
  // Looks at the rest, which may be unknown but must be well-formed.
  [[nodiscard]] bool finish() {
    while (ok_ && has_field_) advance();
    return ok_;
  }

 private:
  void advance() {
    const int before = has_field_ ? fields_.tag() : 0;
    has_field_ = fields_.next();
    ok_ = fields_.ok() && (!has_field_ || fields_.tag() > before);
  }

  template <std::integral Number>
  bool get(Number &number) {
    if (fields_.bytes().size() != sizeof(Number)) return false;
    number = load_number<Number>(fields_.bytes().data());
    return true;
  }
  bool get(bool &value) { return get_below(value, 2); }
  bool get(Kind &kind) { return get_below(kind, kind_count); }
  bool get(Protocol &protocol) { return get_below(protocol, 2); }
  template <typename Value>
  bool get_below(Value &value, std::size_t limit) {
    std::uint8_t byte = 0;
    if (!get(byte) || byte >= limit) return false;
    value = static_cast<Value>(byte);
    return true;
  }
  bool get(std::string &text) {
    text.assign(fields_.bytes());
    return true;
  }
  bool get(Text &text) {
    text.assign(fields_.bytes());
    return true;
  }
  bool get(ArgList &args) {
    const auto bytes = fields_.bytes();
    args.assign(bytes);
    return bytes.empty() || bytes.back() == '\0';
  }
  bool get(Address &address) {
    const auto bytes = fields_.bytes();
    if (bytes.size() != 4 && bytes.size() != 16) return false;
    address.family = bytes.size() == 4 ? Address::Family::ipv4 : Address::Family::ipv6;
    address.bytes = {};
    std::copy(bytes.begin(), bytes.end(), address.bytes.begin());
    return true;
  }
  template <typename Value>
  bool get(std::optional<Value> &value) {
    return get(value.emplace());
  }

  FieldReader fields_;
  bool has_field_ = false;
  bool ok_ = true;
};

}  // namespace

void encode(const Event &event, std::string &to) {
  Encoder encoder{to};
  visit_event(event, encoder);
}

void encode(const Loss &loss, std::string &to) {
  Encoder encoder{to};
  visit_loss(loss, encoder);
}

void encode(const HostEvent &event, std::string &to) {
  Encoder encoder{to};
  visit_host_event(event, encoder);
}

void encode(const Damage &damage, std::string &to) {
  encode(loss_of(damage), to);
  // The mark of a booking must not be left out as a 0 is.
  std::optional<std::uint64_t> first = damage.first_index;
  struct {
    std::optional<std::uint64_t> first, count;
  } range{first, damage.count};
  Encoder encoder{to};
  visit_range(range, encoder);
}

bool decode(std::string_view payload, Event &event) {
  event.reset();
  Decoder decoder{payload};
  visit_event(event, decoder);
  return decoder.finish();
}

bool decode(std::string_view payload, Loss &loss) {
  loss = {};
  Decoder decoder{payload};
  visit_loss(loss, decoder);
  return decoder.finish();
}

bool decode(std::string_view payload, HostEvent &event) {
  event = {};
  Decoder decoder{payload};
  visit_host_event(event, decoder);
  return decoder.finish();
}

std::optional<Range> decode_range(std::string_view loss_payload) {
  struct {
    std::optional<std::uint64_t> first, count;
  } range;
  Decoder decoder{loss_payload};
  visit_range(range, decoder);
  if (!decoder.finish() || !range.first) return std::nullopt;
  return Range{*range.first, range.count};
}

Peek peek(std::string_view event_payload) noexcept {
  Peek found;
  FieldReader fields{event_payload};
  const auto take = [&fields](auto &number) {
    using Number = std::remove_reference_t<decltype(number)>;
    if (fields.bytes().size() == sizeof(Number)) number = load_number<Number>(fields.bytes().data());
  };
  while (fields.next() && fields.tag() <= 7) {
    if (fields.tag() == 1) take(found.unix_us);
    if (fields.tag() == 2) take(found.seq);
    if (fields.tag() == 3) take(found.ring);
    if (fields.tag() == 4) take(found.ring_position);
    if (fields.tag() == 5) take(found.kind);
    if (fields.tag() == 7) found.has_environment = true;
  }
  return found;
}

}  // namespace iptrackd::spool
