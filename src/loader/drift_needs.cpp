#include "loader/drift_needs.h"

#include <linux/bpf.h>

#include <charconv>
#include <cstring>
#include <optional>

namespace iptrackd::loader {
namespace {

using Bytes = std::span<const std::byte>;

template <typename T>
bool take(Bytes &rest, T &value) {
  if (rest.size() < sizeof(value)) return false;
  std::memcpy(&value, rest.data(), sizeof(value));
  rest = rest.subspan(sizeof(value));
  return true;
}

// As the kernel's Documentation/bpf/btf.rst has it; offsets count from the header's end.
struct ExtHeader {
  std::uint16_t magic;
  std::uint8_t version, flags;
  std::uint32_t header_size, functions, functions_size, lines, lines_size, relocations, relocations_size;
};
constexpr std::uint16_t ext_magic = 0xeb9f;

// struct bpf_core_relo, of any kind that a newer compiler may write.
struct Relocation {
  std::uint32_t instruction, type, path, kind;
};
static_assert(sizeof(Relocation) == sizeof(bpf_core_relo));

tl::unexpected<Error> malformed() {
  return fail(Fault::environment, "the BPF object's .BTF.ext is malformed");
}

// u32 size of a record, then for each section of programs { u32 its name, u32 count, count records }.
Result<std::vector<Relocation>> read_relocations(Bytes section) {
  ExtHeader header{};
  Bytes rest = section;
  if (!take(rest, header) || header.magic != ext_magic || header.header_size < sizeof(header))
    return malformed();
  const std::size_t begin = std::size_t{header.header_size} + header.relocations;
  if (begin > section.size() || header.relocations_size > section.size() - begin) return malformed();
  rest = section.subspan(begin, header.relocations_size);
  std::vector<Relocation> found;
  std::uint32_t record_size = 0;
  if (rest.empty()) return found;
  if (!take(rest, record_size) || record_size < sizeof(Relocation)) return malformed();
  while (!rest.empty()) {
    std::uint32_t name = 0;
    std::uint32_t count = 0;
    if (!take(rest, name) || !take(rest, count) || count > rest.size() / record_size) return malformed();
    for (; count > 0; --count) {
      Bytes record = rest.first(record_size);
      (void)take(record, found.emplace_back());
      rest = rest.subspan(record_size);
    }
  }
  return found;
}

// "0:1:2"
std::optional<std::vector<std::uint32_t>> read_path(std::string_view text) {
  std::vector<std::uint32_t> path;
  const char *const end = text.data() + text.size();
  for (const char *begin = text.data();;) {
    const auto [behind, error] = std::from_chars(begin, end, path.emplace_back());
    if (error != std::errc{}) return std::nullopt;
    if (behind == end) return path;
    if (*behind != ':') return std::nullopt;
    begin = behind + 1;
  }
}

// Goes the way of a field; adds its names to NAME.
bool follow(const btf &programs, std::span<const std::uint32_t> path, Need &need, std::string &name) {
  for (const std::uint32_t index : path) {
    if (const auto member = enter_member(programs, index, need.built)) {
      if (member->empty()) continue;
      need.steps.push_back({*member});
      name += '.' + std::string{*member};
    } else if (enter_element(programs, index, need.built)) {
      need.steps.push_back({{}, index});
      name += '[' + std::to_string(index) + ']';
    } else {
      return false;
    }
  }
  return true;
}

// Sets NEED and returns its name; none: the relocation leads nowhere.
std::optional<std::string> read_need(const btf &programs, const Relocation &relocation, Need &need) {
  need.root = btf__type_by_id(&programs, relocation.type);
  const auto path = read_path(text_at(programs, relocation.path));
  if (need.root == nullptr || !path) return std::nullopt;
  need.root_name = text_at(programs, need.root->name_off);
  need.first = path->front();
  need.built = {relocation.type};
  if (need.root_name.empty()) return std::nullopt;
  std::string name = std::string{kind_word(need.root)} + ' ' + std::string{without_flavor(need.root_name)};
  if (relocation.kind <= BPF_CORE_FIELD_RSHIFT_U64) {
    need.built = element_of_root(programs, relocation.type, need.first);
    if (!follow(programs, std::span{*path}.subspan(1), need, name)) return std::nullopt;
  } else if (relocation.kind == BPF_CORE_ENUMVAL_EXISTS || relocation.kind == BPF_CORE_ENUMVAL_VALUE) {
    const auto enumerator = enter_enumerator(programs, need.first, need.built);
    if (!enumerator) return std::nullopt;
    need.enumerator = without_flavor(*enumerator);
    name += '.' + std::string{need.enumerator};
  }
  return relocation.kind <= BPF_CORE_TYPE_MATCHES ? std::optional{name} : std::nullopt;
}

void note_use(std::uint32_t kind, Need &need) {
  const bool asks = kind == BPF_CORE_FIELD_EXISTS || kind == BPF_CORE_TYPE_EXISTS ||
                    kind == BPF_CORE_TYPE_MATCHES || kind == BPF_CORE_ENUMVAL_EXISTS;
  const bool asks_size = kind == BPF_CORE_FIELD_BYTE_SIZE || kind == BPF_CORE_FIELD_LSHIFT_U64 ||
                         kind == BPF_CORE_FIELD_RSHIFT_U64 || kind == BPF_CORE_TYPE_SIZE;
  (asks ? need.asked : need.read) = true;
  if (asks_size) need.sized = true;
}

// Who asks for a struct asks for its members.
void pass_on_questions(Needs &needs) {
  for (const auto &[name, need] : needs) {
    for (auto part = needs.upper_bound(name); need.asked && part != needs.end(); ++part) {
      if (!part->first.starts_with(name)) break;
      const char next = part->first[name.size()];
      if (next == '.' || next == '[') part->second.asked = true;
    }
  }
}

}  // namespace

Result<Needs> read_needs(const btf &programs, std::span<const std::byte> relocations) {
  const auto read = read_relocations(relocations);
  if (!read) return tl::unexpected{read.error()};
  Needs needs;
  for (const Relocation &relocation : *read) {
    if (relocation.kind == BPF_CORE_TYPE_ID_LOCAL) continue;
    Need need;
    const auto name = read_need(programs, relocation, need);
    if (!name) return fail(Fault::environment, "the BPF object has a CO-RE relocation that leads nowhere");
    Need &known = needs.emplace(*name, need).first->second;
    // A flavor has only the members that are asked for, so that their places in it mean nothing.
    if (known.has_flavor() && !need.has_flavor()) {
      need.asked = known.asked;
      need.read = known.read;
      need.sized = known.sized;
      known = need;
    }
    note_use(relocation.kind, known);
  }
  pass_on_questions(needs);
  return needs;
}

}  // namespace iptrackd::loader
