// Types (BTF) and relocations as a compiler would write them, made by hand for the tests.
#ifndef IPTRACKD_TESTS_LOADER_BTF_BUILDER_H
#define IPTRACKD_TESTS_LOADER_BTF_BUILDER_H

#include <bpf/btf.h>
#include <doctest/doctest.h>
#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace iptrackd::loader {

// Types under construction. The numbers that it returns are theirs.
class Types {
 public:
  struct Field {
    const char *name;  // "": unnamed
    int type;
    std::uint32_t bit;
    std::uint32_t width = 0;
  };

  int integer(std::uint32_t bytes) {
    return btf__add_int(types_.get(), ("u" + std::to_string(bytes)).c_str(), bytes, 0);
  }
  int pointer(int to) { return btf__add_ptr(types_.get(), to); }
  int type_def(const char *name, int of) { return btf__add_typedef(types_.get(), name, of); }
  int array(int of, std::uint32_t count) { return btf__add_array(types_.get(), integer(4), of, count); }
  int structure(const char *name, std::uint32_t bytes, const std::vector<Field> &fields) {
    return add_fields(btf__add_struct(types_.get(), name, bytes), fields);
  }
  int one_of(const char *name, std::uint32_t bytes, const std::vector<Field> &fields) {
    return add_fields(btf__add_union(types_.get(), name, bytes), fields);
  }
  int enumeration(const char *name, const std::vector<std::pair<const char *, int>> &values) {
    const int id = btf__add_enum(types_.get(), name, 4);
    for (const auto &[word, value] : values) REQUIRE(btf__add_enum_value(types_.get(), word, value) == 0);
    return id;
  }
  int enumeration64(const char *name, const char *word, std::uint64_t value) {
    const int id = btf__add_enum64(types_.get(), name, 8, false);
    REQUIRE(btf__add_enum64_value(types_.get(), word, value) == 0);
    return id;
  }
  int prototype(int result, const std::vector<int> &parameters) {
    const int id = btf__add_func_proto(types_.get(), result);
    for (const int type : parameters) REQUIRE(btf__add_func_param(types_.get(), "", type) == 0);
    return id;
  }
  void function(const char *name, int proto) {
    REQUIRE(btf__add_func(types_.get(), name, BTF_FUNC_GLOBAL, proto) > 0);
  }
  std::uint32_t text(const char *text) {
    return static_cast<std::uint32_t>(btf__add_str(types_.get(), text));
  }
  [[nodiscard]] const btf &get() const { return *types_; }

 private:
  int add_fields(int id, const std::vector<Field> &fields) {
    for (const auto &[name, type, bit, width] : fields) {
      REQUIRE(btf__add_field(types_.get(), name, type, bit, width) == 0);
    }
    return id;
  }
  struct Free {
    void operator()(btf *types) const { btf__free(types); }
  };
  std::unique_ptr<btf, Free> types_{btf__new_empty()};
};

// What the programs were built with, and the section .BTF.ext of their relocations.
class Programs : public Types {
 public:
  void relocate(int type, const char *path, std::uint32_t kind = BPF_CORE_FIELD_BYTE_OFFSET) {
    words_.insert(words_.end(), {0, static_cast<std::uint32_t>(type), text(path), kind});
  }
  [[nodiscard]] std::vector<std::byte> section() const {
    const auto size = static_cast<std::uint32_t>(12 + words_.size() * 4);
    std::vector<std::uint32_t> all{0x0001'eb9f, 32, 0, 0, 0, 0, 0, size, 16};
    all.insert(all.end(), {0, static_cast<std::uint32_t>(words_.size() / 4)});
    all.insert(all.end(), words_.begin(), words_.end());
    std::vector<std::byte> bytes(all.size() * 4);
    std::memcpy(bytes.data(), all.data(), bytes.size());
    return bytes;
  }

 private:
  std::vector<std::uint32_t> words_;
};

}  // namespace iptrackd::loader

#endif
