// KernelTypes: what a kernel says about its own types and functions (BTF), of the running kernel or from a
// file.
#ifndef IPTRACKD_LOADER_KERNEL_TYPES_H
#define IPTRACKD_LOADER_KERNEL_TYPES_H

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

struct btf;

namespace iptrackd::loader {

class KernelTypes {
 public:
  // From /sys/kernel/btf/vmlinux. Fails (environment) where the kernel has none.
  [[nodiscard]] static Result<KernelTypes> running();
  // FILE is raw BTF (a copy of /sys/kernel/btf/vmlinux) or an ELF file with a section .BTF (a vmlinux).
  [[nodiscard]] static Result<KernelTypes> load(const std::string &file);

  // "int (struct socket *, int)": without qualifiers, which change nothing in how it is called. None: there
  // is no such function, or the compiler changed its parameters and left it out.
  [[nodiscard]] std::optional<std::string> function(std::string_view name) const;
  // Of a BTF tracepoint: "void (struct task_struct *)", what a program of it gets.
  [[nodiscard]] std::optional<std::string> tracepoint(std::string_view name) const;
  [[nodiscard]] bool has_member(std::string_view structure, std::string_view member) const;

  [[nodiscard]] const btf *get() const noexcept { return types_.get(); }

 private:
  struct Free {
    void operator()(btf *types) const noexcept;
  };
  explicit KernelTypes(btf *types) noexcept : types_{types} {}
  std::unique_ptr<btf, Free> types_;
};

// Is PROTOTYPE one of ALTERNATIVES ("A | B")?
[[nodiscard]] bool is_one_of(std::string_view prototype, std::string_view alternatives) noexcept;

}  // namespace iptrackd::loader

#endif
