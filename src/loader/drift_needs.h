// Needs: the fields, enumerators and types that the programs of a BPF object rely on in a kernel, read from
// its CO-RE relocations, for drift.cpp.
#ifndef IPTRACKD_LOADER_DRIFT_NEEDS_H
#define IPTRACKD_LOADER_DRIFT_NEEDS_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "loader/drift_types.h"

namespace iptrackd::loader {

struct Need {
  // What it is in: a struct, an enum, ...
  const btf_type *root = nullptr;
  std::string_view root_name;  // with its flavor
  // The way to a field: the number of the root in an array of them (0, as a rule), then a name or a number
  // each.
  struct Step {
    std::string_view member;  // empty: an element of an array
    std::uint32_t index = 0;
  };
  std::uint32_t first = 0;
  std::vector<Step> steps;
  std::string_view enumerator;  // of an enum, instead of steps
  Place built;                  // where the programs were built with it

  bool asked = false;  // the programs ask whether it is there,
  bool read = false;   // they rely on its place,
  bool sized = false;  // and take its size as they find it

  [[nodiscard]] bool has_flavor() const noexcept { return without_flavor(root_name) != root_name; }
};

// By name: "struct task_struct.loginuid.val". Those of a struct's flavors are its own. Nothing in it outlives
// the types that it was read from.
using Needs = std::map<std::string, Need>;

// PROGRAMS are the object's types (.BTF); RELOCATIONS is its section .BTF.ext. Fails (environment) where they
// are malformed.
[[nodiscard]] Result<Needs> read_needs(const btf &programs, std::span<const std::byte> relocations);

}  // namespace iptrackd::loader

#endif
