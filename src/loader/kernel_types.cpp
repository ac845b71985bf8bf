#include "loader/kernel_types.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

namespace iptrackd::loader {
namespace {

constexpr std::string_view separator = " | ";
// Types of a file may lead nowhere, or in a circle.
constexpr int deepest_type = 32;

std::string name_at(const btf *types, std::uint32_t offset) {
  const char *name = btf__name_by_offset(types, offset);
  return name != nullptr ? name : "";
}

const btf_type *unqualified(const btf *types, std::uint32_t id) {
  const btf_type *type = btf__type_by_id(types, id);
  for (int depth = 0; type != nullptr && (btf_is_mod(type) || btf_is_type_tag(type)); ++depth) {
    if (depth == deepest_type) return nullptr;
    type = btf__type_by_id(types, type->type);
  }
  return type;
}

std::string type_name(const btf *types, std::uint32_t id, int depth = 0) {
  const btf_type *type = depth < deepest_type ? unqualified(types, id) : nullptr;
  if (id == 0 || type == nullptr || btf_is_void(type)) return "void";
  if (btf_is_ptr(type)) {
    const std::string target = type_name(types, type->type, depth + 1);
    return target + (target.ends_with('*') ? "*" : " *");
  }
  const std::string name = name_at(types, type->name_off);
  if (btf_is_struct(type)) return "struct " + name;
  if (btf_is_union(type)) return "union " + name;
  if (btf_is_any_enum(type)) return "enum " + name;
  if (btf_is_fwd(type)) return "forward " + name;  // declared only: programs cannot get at what it points to
  if (btf_is_func_proto(type)) return "function";
  return name == "_Bool" ? "bool" : name;
}

std::optional<std::string> prototype(const btf *types, std::uint32_t id, std::uint32_t first_parameter) {
  const btf_type *function = btf__type_by_id(types, id);
  if (function == nullptr || !btf_is_func_proto(function)) return std::nullopt;
  std::string text = type_name(types, function->type) + " (";
  const btf_param *parameters = btf_params(function);
  for (std::uint32_t i = first_parameter; i < btf_vlen(function); ++i) {
    if (i > first_parameter) text += ", ";
    text += type_name(types, parameters[i].type);
  }
  return text + ")";
}

}  // namespace

void KernelTypes::Free::operator()(btf *types) const noexcept {
  btf__free(types);
}

Result<KernelTypes> KernelTypes::running() {
  btf *types = btf__load_vmlinux_btf();
  if (types == nullptr) return fail_errno("cannot read this kernel's types (/sys/kernel/btf/vmlinux)");
  return KernelTypes{types};
}

Result<KernelTypes> KernelTypes::load(const std::string &file) {
  btf *types = btf__parse(file.c_str(), nullptr);
  if (types == nullptr) return fail_errno("no kernel types (BTF) can be read from " + file);
  return KernelTypes{types};
}

std::optional<std::string> KernelTypes::function(std::string_view name) const {
  const int id = btf__find_by_name_kind(types_.get(), std::string{name}.c_str(), BTF_KIND_FUNC);
  if (id <= 0) return std::nullopt;
  const btf_type *function = btf__type_by_id(types_.get(), static_cast<std::uint32_t>(id));
  return prototype(types_.get(), function->type, 0);
}

// typedef void (*btf_trace_NAME)(void *, ...): the first parameter is the tracepoint's own.
std::optional<std::string> KernelTypes::tracepoint(std::string_view name) const {
  const std::string typedef_name = "btf_trace_" + std::string{name};
  const int id = btf__find_by_name_kind(types_.get(), typedef_name.c_str(), BTF_KIND_TYPEDEF);
  if (id <= 0) return std::nullopt;
  const btf_type *pointer =
      unqualified(types_.get(), btf__type_by_id(types_.get(), static_cast<std::uint32_t>(id))->type);
  if (pointer == nullptr || !btf_is_ptr(pointer)) return std::nullopt;
  return prototype(types_.get(), pointer->type, 1);
}

bool KernelTypes::has_member(std::string_view structure, std::string_view member) const {
  const int id = btf__find_by_name_kind(types_.get(), std::string{structure}.c_str(), BTF_KIND_STRUCT);
  if (id <= 0) return false;
  const btf_type *type = btf__type_by_id(types_.get(), static_cast<std::uint32_t>(id));
  const btf_member *members = btf_members(type);
  for (std::uint32_t i = 0; i < btf_vlen(type); ++i) {
    if (name_at(types_.get(), members[i].name_off) == member) return true;
  }
  return false;
}

bool is_one_of(std::string_view prototype, std::string_view alternatives) noexcept {
  while (!alternatives.empty()) {
    const auto end = alternatives.find(separator);
    if (alternatives.substr(0, end) == prototype) return true;
    if (end == std::string_view::npos) break;
    alternatives.remove_prefix(end + separator.size());
  }
  return false;
}

}  // namespace iptrackd::loader
