// A record of a ring: whatever its bytes are, the decoder reads nothing beyond them, and the redactor leaves
// as many arguments as there were.
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "core/event.h"
#include "fuzz/demand.h"
#include "loader/decoder.h"
#include "loader/redactor.h"

namespace {

using namespace iptrackd;

// The three ways to find a rule: for every program, by its name, by its path. The last can match across
// arguments.
loader::Redactor make_redactor() {
  const loader::Redactor::Rule rules[] = {{"*", "--password[= \n]([^\n]*)", "fuzz"},
                                          {"mysql", "^(?:-p|--pass=)(.+)$", "fuzz"},
                                          {"/usr/bin/curl", "^-u\n?[^:\n]*:(.+)$", "fuzz"},
                                          {"*", "(?s)BEGIN(.*)END", "fuzz"}};
  auto redactor = loader::Redactor::create(rules);
  fuzz::demand(redactor.has_value(), "the rules are good");
  return std::move(*redactor);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  static const auto redactor = make_redactor();
  static Event event;
  event.reset();
  if (loader::decode(std::as_bytes(std::span{data, size}), event) != loader::DecodeError::none) return 0;
  fuzz::demand(static_cast<std::size_t>(event.kind) < kind_count, "the kind is one that there is");
  const auto arguments = event.args.count();
  const bool redacted = redactor.apply(event);
  fuzz::demand(redacted == event.has(Mark::redacted), "what was redacted is marked");
  fuzz::demand(event.args.count() == arguments, "redacting keeps the arguments apart");
  return 0;
}
