// Ways through types as BTF has them, for drift.cpp: to a member, by its name or by its number, and to an
// element. Types may come from any file: whatever leads nowhere, or in a circle, is none.
#ifndef IPTRACKD_LOADER_DRIFT_TYPES_H
#define IPTRACKD_LOADER_DRIFT_TYPES_H

#include <bpf/btf.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace iptrackd::loader {

// A part of a value: its type, and where it begins.
struct Place {
  std::uint32_t type = 0;
  std::uint64_t at = 0;     // in bits; of an enumerator its value
  std::uint32_t width = 0;  // of a bit field, in bits
};

[[nodiscard]] std::string_view text_at(const btf &types, std::uint32_t offset);
// "kernfs_node___since_6_15" is, to a kernel, kernfs_node.
[[nodiscard]] std::string_view without_flavor(std::string_view name) noexcept;
// Behind typedefs and qualifiers; NULL: nothing is there.
[[nodiscard]] const btf_type *resolved(const btf &types, std::uint32_t id);
// "pointer", "struct", …
[[nodiscard]] std::string_view kind_word(const btf_type *type);
// Of what is at PLACE, in bits; 0: unknown.
[[nodiscard]] std::uint64_t bits_of(const btf &types, const Place &place);

// Each leads on from PLACE, or leaves it as it is and returns false or none.
[[nodiscard]] bool enter_element(const btf &types, std::uint32_t index, Place &place);
// The member's name: empty, but not none, where it has none.
[[nodiscard]] std::optional<std::string_view> enter_member(const btf &types, std::uint32_t index,
                                                           Place &place);
// Members of unnamed structs and unions are members of what these stand in, as in C.
[[nodiscard]] bool enter_named(const btf &types, std::string_view name, Place &place);
// The name of an enumerator, whose value is the place.
[[nodiscard]] std::optional<std::string_view> enter_enumerator(const btf &types, std::uint32_t index,
                                                               Place &place);
// The beginning of a value of the type ROOT, of which there is an array.
[[nodiscard]] Place element_of_root(const btf &types, std::uint32_t root, std::uint32_t index);

}  // namespace iptrackd::loader

#endif
