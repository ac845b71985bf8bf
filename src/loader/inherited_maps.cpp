#include "loader/inherited_maps.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <optional>
#include <string_view>

#include "core/fd.h"
#include "loader/libbpf_log.h"

namespace iptrackd::loader {
namespace {

struct FreeTypes {
  void operator()(btf *types) const noexcept { btf__free(types); }
};
struct FreeDump {
  void operator()(btf_dump *dump) const noexcept { btf_dump__free(dump); }
};

void append_text(void *text, const char *format, va_list arguments) {
  std::array<char, 512> line{};
  const int size = std::vsnprintf(line.data(), line.size(), format, arguments);
  static_cast<std::string *>(text)->append(line.data(), std::min<std::size_t>(size, line.size() - 1));
}

// The type and all that it is made of, in C. None: it cannot be told.
std::optional<std::string> in_c(const btf &types, std::uint32_t type) {
  std::string text;
  const std::unique_ptr<btf_dump, FreeDump> dump{btf_dump__new(&types, append_text, &text, nullptr)};
  const btf_type *described = btf__type_by_id(&types, type);
  if (!dump || described == nullptr || btf_dump__dump_type(dump.get(), type) != 0) return std::nullopt;
  return text + btf__name_by_offset(&types, described->name_off);
}

bool has_same_types(const bpf_object &object, const bpf_map &map, const bpf_map_info &other) {
  const std::unique_ptr<btf, FreeTypes> others{btf__load_from_kernel_by_id(other.btf_id)};
  const btf *ours = bpf_object__btf(&object);
  if (!others || ours == nullptr) return false;
  const auto key = in_c(*ours, bpf_map__btf_key_type_id(&map));
  const auto value = in_c(*ours, bpf_map__btf_value_type_id(&map));
  return key && value && key == in_c(*others, other.btf_key_type_id) &&
         value == in_c(*others, other.btf_value_type_id);
}

bool has_same_sizes(const bpf_map &map, const bpf_map_info &other) {
  return bpf_map__type(&map) == other.type && bpf_map__key_size(&map) == other.key_size &&
         bpf_map__value_size(&map) == other.value_size && bpf_map__max_entries(&map) == other.max_entries &&
         bpf_map__map_flags(&map) == other.map_flags;
}

bool is_ring(const bpf_map &map) {
  return bpf_map__type(&map) == BPF_MAP_TYPE_RINGBUF;
}

// Variables of the programs: what they mean changes with every program.
bool holds_variables(const bpf_map &map) {
  return std::string_view{bpf_map__name(&map)}.find(".bss") != std::string_view::npos;
}

// What the programs remember from one deed to the next.
bool is_table(const bpf_map &map) {
  return bpf_map__type(&map) == BPF_MAP_TYPE_HASH;
}

Fd open_map(const bpf_map &map, std::uint32_t number, const PinDirectory &directory) {
  return Fd{bpf_obj_get(directory.pin(number, pin_name(map)).c_str())};
}

bool inherit_equal_map(const bpf_object &object, bpf_map &map, const Fd &pinned, bool same_wire) {
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (!pinned || bpf_obj_get_info_by_fd(pinned.get(), &info, &size) != 0) return false;
  if (!has_same_sizes(map, info)) return false;
  if (is_ring(map) ? !same_wire : !has_same_types(object, map, info)) return false;
  return bpf_map__reuse_fd(&map, pinned.get()) == 0;
}

}  // namespace

bool is_inheritable(const bpf_map &map) {
  return std::string_view{bpf_map__name(&map)}.find(".rodata") == std::string_view::npos;
}

std::string pin_name(const bpf_map &map) {
  return "map_" + std::string{bpf_map__name(&map)};
}

Result<void> inherit_all_maps(iptrackd_bpf &skeleton, std::uint32_t number, const PinDirectory &directory) {
  bpf_map *map = nullptr;
  bpf_object__for_each_map(map, skeleton.obj) {
    if (!is_inheritable(*map)) continue;
    const Fd pinned = open_map(*map, number, directory);
    if (!pinned) return fail_errno("cannot open the pinned map " + std::string{bpf_map__name(map)});
    if (const int error = bpf_map__reuse_fd(map, pinned.get()); error != 0) {
      return fail_errno("cannot take over the map " + std::string{bpf_map__name(map)}, -error);
    }
  }
  return {};
}

bool inherit_equal_maps(iptrackd_bpf &skeleton, std::uint32_t number, const PinDirectory &directory,
                        bool same_wire) {
  bool all_tables = true;
  bpf_map *map = nullptr;
  bpf_object__for_each_map(map, skeleton.obj) {
    if (!is_inheritable(*map) || holds_variables(*map)) continue;
    const bool inherited =
        inherit_equal_map(*skeleton.obj, *map, open_map(*map, number, directory), same_wire);
    if (!inherited && is_table(*map)) all_tables = false;
  }
  (void)libbpf_log_take();
  return all_tables;
}

}  // namespace iptrackd::loader
