// Tree: a YAML document as values that know where they stand. It is what remains after yaml-cpp: one
// document, plain mappings, lists and scalars, without aliases, tags, duplicate keys or control characters.
#ifndef IPTRACKD_CONFIG_TREE_H
#define IPTRACKD_CONFIG_TREE_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "core/result.h"

namespace iptrackd::config {

struct TreeNode {
  enum class Type : std::uint8_t { null, scalar, sequence, mapping };

  Type type = Type::null;
  Position at;
  std::string scalar;  // without quotes; never holds a NUL
  std::string key;     // this node's key, where it stands in a mapping
  Position key_at;
  std::vector<TreeNode> children;  // of a sequence or a mapping, in the order of the file

  // The child of that key; null when there is none. It points into this node.
  [[nodiscard]] const TreeNode *find(std::string_view name) const noexcept;
  [[nodiscard]] TreeNode *find(std::string_view name) noexcept;
};

// Bounds that no honest configuration comes near.
inline constexpr std::size_t file_bytes_max = 1U << 20;
inline constexpr std::size_t depth_max = 16;
inline constexpr std::size_t keys_max = 256;  // of one mapping
inline constexpr std::size_t nodes_max = 100'000;

// Reads TEXT, the content of FILE. The root is a mapping; an empty document is an empty mapping.
// Fault::usage.
[[nodiscard]] Result<TreeNode> parse_tree(std::string_view text, const std::string &file);

// Lays OVER upon BASE: mappings are merged key by key, everything else is replaced, and a key without a value
// changes nothing in a mapping.
void merge_tree(TreeNode &base, TreeNode over);

}  // namespace iptrackd::config

#endif
