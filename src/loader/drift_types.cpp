#include "loader/drift_types.h"

#include <algorithm>
#include <cstddef>

namespace iptrackd::loader {
namespace {

// Typedefs of typedefs, unnamed structs in unnamed structs: more is a circle.
constexpr int deepest = 16;

bool enter_named_within(const btf &types, std::string_view name, Place &place, int depth) {
  Place inner = place;
  for (std::uint32_t i = 0; depth < deepest; ++i, inner = place) {
    const auto member = enter_member(types, i, inner);
    if (!member) return false;
    const bool found = member->empty() ? enter_named_within(types, name, inner, depth + 1) : *member == name;
    if (!found) continue;
    place = inner;
    return true;
  }
  return false;
}

}  // namespace

std::string_view text_at(const btf &types, std::uint32_t offset) {
  const char *text = btf__name_by_offset(&types, offset);
  return text != nullptr ? text : "";
}

std::string_view without_flavor(std::string_view name) noexcept {
  const auto flavor = name.rfind("___");
  return flavor == 0 ? name : name.substr(0, flavor);
}

const btf_type *resolved(const btf &types, std::uint32_t id) {
  const btf_type *type = btf__type_by_id(&types, id);
  for (int depth = 0; type != nullptr && (btf_is_mod(type) || btf_is_typedef(type)); ++depth) {
    if (depth == deepest) return nullptr;
    type = btf__type_by_id(&types, type->type);
  }
  return type;
}

std::string_view kind_word(const btf_type *type) {
  if (type == nullptr) return "nothing";
  if (btf_is_ptr(type)) return "pointer";
  if (btf_is_int(type)) return "integer";
  if (btf_is_any_enum(type)) return "enum";
  if (btf_is_struct(type)) return "struct";
  if (btf_is_union(type)) return "union";
  if (btf_is_array(type)) return "array";
  if (btf_is_typedef(type)) return "typedef";
  return "other";
}

std::uint64_t bits_of(const btf &types, const Place &place) {
  if (place.width != 0) return place.width;
  const auto bytes = btf__resolve_size(&types, place.type);
  return static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0)) * 8;
}

bool enter_element(const btf &types, std::uint32_t index, Place &place) {
  const btf_type *type = resolved(types, place.type);
  if (type == nullptr || !btf_is_array(type)) return false;
  const auto *array = btf_array(type);
  // An array of no elements is one of as many as there is memory for.
  if (array->nelems != 0 && index >= array->nelems) return false;
  place = {array->type, place.at + index * bits_of(types, {array->type}), 0};
  return true;
}

std::optional<std::string_view> enter_member(const btf &types, std::uint32_t index, Place &place) {
  const btf_type *type = resolved(types, place.type);
  if (type == nullptr || !btf_is_composite(type) || index >= btf_vlen(type)) return std::nullopt;
  const btf_member &member = btf_members(type)[index];
  place = {member.type, place.at + btf_member_bit_offset(type, index), btf_member_bitfield_size(type, index)};
  return text_at(types, member.name_off);
}

bool enter_named(const btf &types, std::string_view name, Place &place) {
  return enter_named_within(types, name, place, 0);
}

std::optional<std::string_view> enter_enumerator(const btf &types, std::uint32_t index, Place &place) {
  const btf_type *type = resolved(types, place.type);
  if (type == nullptr || !btf_is_any_enum(type) || index >= btf_vlen(type)) return std::nullopt;
  if (btf_is_enum(type)) {
    place.at = static_cast<std::uint64_t>(std::int64_t{btf_enum(type)[index].val});
    return text_at(types, btf_enum(type)[index].name_off);
  }
  // A name and two halves each. Kernel headers before 6.0 have no struct for it.
  const auto *values = reinterpret_cast<const std::uint32_t *>(type + 1) + std::size_t{index} * 3;
  place.at = values[1] | std::uint64_t{values[2]} << 32;
  return text_at(types, values[0]);
}

Place element_of_root(const btf &types, std::uint32_t root, std::uint32_t index) {
  return {root, index * bits_of(types, {root}), 0};
}

}  // namespace iptrackd::loader
