#include "config/section.h"

#include <algorithm>
#include <tuple>

#include "config/values.h"

namespace iptrackd::config {
namespace {

std::string joined(std::string_view path, std::string_view key) {
  return path.empty() ? std::string{key} : std::string{path} + '.' + std::string{key};
}

std::string range(std::int64_t min, std::int64_t max) {
  return "write a whole number from " + std::to_string(min) + " to " + std::to_string(max);
}

bool is_set(const TreeNode *node) {
  return node != nullptr && node->type != TreeNode::Type::null;
}

}  // namespace

void Findings::add(const Position &at, const std::string &message) {
  findings_.push_back({at, message});
}

std::string Findings::advice(const Asked &section, const std::string &key) const {
  const std::vector<std::string_view> names{section.keys.begin(), section.keys.end()};
  if (const auto name = nearest(key, names); !name.empty())
    return "did you mean '" + std::string{name} + "'?";
  for (const auto &other : asked_) {
    if (std::find(other.keys.begin(), other.keys.end(), key) == other.keys.end()) continue;
    return other.path.empty() ? "it belongs to the top level" : "it belongs below '" + other.path + "'";
  }
  return "remove it; config/iptrackd.yml lists every key";
}

void Findings::report_unknown_keys() {
  for (const auto &section : asked_) {
    if (section.node == nullptr) continue;
    for (const auto &child : section.node->children) {
      if (std::find(section.keys.begin(), section.keys.end(), child.key) != section.keys.end()) continue;
      const std::string where = section.path.empty() ? "" : " in '" + section.path + "'";
      add(child.key_at, "unknown key " + in_quotes(child.key) + where + "; " + advice(section, child.key));
    }
  }
}

std::string Findings::to_string() const {
  auto sorted = findings_;
  // FILE sorts before its drop-ins FILE.d/...
  std::stable_sort(sorted.begin(), sorted.end(), [](const Finding &a, const Finding &b) {
    return std::tie(a.at.file, a.at.line, a.at.column) < std::tie(b.at.file, b.at.line, b.at.column);
  });
  std::string out;
  for (const auto &finding : sorted) {
    if (!out.empty()) out += '\n';
    out += finding.at.to_string() + ": " + finding.message;
  }
  return out;
}

std::vector<std::string> Findings::known_keys() const {
  std::vector<std::string> keys;
  for (const auto &section : asked_) {
    for (const auto &key : section.keys) keys.push_back(joined(section.path, key));
  }
  return keys;
}

Section::Section(Findings &findings, const TreeNode *node, std::string path)
    : findings_{findings}, node_{node}, path_{std::move(path)}, asked_{findings.asked_.size()} {
  if (is_set(node_) && node_->type != TreeNode::Type::mapping) {
    findings_.add(node_->at, path_ + " is not a mapping; write its keys below it, indented");
    node_ = nullptr;
  }
  findings_.asked_.push_back({node_, path_, {}});
}

std::string Section::name(std::string_view key) const {
  return joined(path_, key);
}

Section Section::section(std::string_view key) {
  return {findings_, take(key), name(key)};
}

const TreeNode *Section::take(std::string_view key) {
  findings_.asked_[asked_].keys.emplace_back(key);
  const TreeNode *child = node_ == nullptr ? nullptr : node_->find(key);
  return is_set(child) ? child : nullptr;
}

const TreeNode *Section::scalar(std::string_view key) {
  const TreeNode *child = take(key);
  if (child == nullptr) {
    const TreeNode *empty = node_ == nullptr ? nullptr : node_->find(key);
    if (empty != nullptr)
      findings_.add(empty->key_at, name(key) + " has no value; write one, or remove the key");
    return nullptr;
  }
  if (child->type == TreeNode::Type::scalar) return child;
  const bool list = child->type == TreeNode::Type::sequence;
  findings_.add(child->at, name(key) + (list ? " is a list" : " is a mapping") + "; write a single value");
  return nullptr;
}

void Section::flag(std::string_view key, bool &out) {
  const TreeNode *value = scalar(key);
  if (value == nullptr) return;
  if (value->scalar != "true" && value->scalar != "false")
    return findings_.add(value->at, name(key) + " is " + in_quotes(value->scalar) + "; write true or false");
  out = value->scalar == "true";
}

void Section::text(std::string_view key, std::string &out) {
  const TreeNode *value = scalar(key);
  if (value == nullptr) return;
  if (value->scalar.empty())
    return findings_.add(value->at, name(key) + " is empty; write a value, or remove the key");
  out = value->scalar;
}

void Section::absolute_path(std::string_view key, std::string &out) {
  std::string path;
  text(key, path);
  if (path.empty()) return;
  if (!path.starts_with('/'))
    return findings_.add(at({key}),
                         name(key) + " is " + in_quotes(path) + "; write an absolute path, beginning with /");
  constexpr std::size_t path_max = 4095;  // PATH_MAX without its NUL
  if (path.size() > path_max)
    return findings_.add(at({key}), name(key) + " is longer than a path can be; at most 4095 bytes");
  out = std::move(path);
}

void Section::size(std::string_view key, std::uint64_t &out, std::int64_t min, std::int64_t max) {
  const TreeNode *value = scalar(key);
  if (value == nullptr) return;
  const auto bytes = parse_size(value->scalar);
  if (!bytes)
    return findings_.add(value->at, name(key) + " is " + in_quotes(value->scalar) +
                                        "; write a size like 16777216, 16M or 16MiB");
  if (*bytes < min || *bytes > max)
    return findings_.add(value->at, name(key) + " is " + in_quotes(value->scalar) + "; write a size from " +
                                        format_size(min) + " to " + format_size(max));
  out = static_cast<std::uint64_t>(*bytes);
}

void Section::duration(std::string_view key, std::chrono::milliseconds &out, std::chrono::milliseconds max) {
  const TreeNode *value = scalar(key);
  if (value == nullptr) return;
  const auto parsed = parse_duration(value->scalar);
  if (!parsed)
    return findings_.add(value->at, name(key) + " is " + in_quotes(value->scalar) +
                                        "; write a duration like 250ms, 30s, 15min, 1h or 7d");
  if (parsed->count() < 0 || *parsed > max)
    return findings_.add(value->at, name(key) + " is " + in_quotes(value->scalar) +
                                        "; write a duration from 0s to " + format_duration(max));
  out = *parsed;
}

Position Section::at(std::initializer_list<std::string_view> keys) const {
  for (const auto key : keys) {
    const TreeNode *child = node_ == nullptr ? nullptr : node_->find(key);
    if (is_set(child)) return child->at;
  }
  return node_ == nullptr ? Position{} : node_->key.empty() ? node_->at : node_->key_at;
}

std::int64_t Section::bounded(std::string_view key, std::int64_t current, std::int64_t min,
                              std::int64_t max) {
  const TreeNode *value = scalar(key);
  if (value == nullptr) return current;
  const auto number = parse_integer(value->scalar);
  if (number && *number >= min && *number <= max) return *number;
  findings_.add(value->at, name(key) + " is " + in_quotes(value->scalar) + "; " + range(min, max));
  return current;
}

std::size_t Section::chosen(std::string_view key, const std::vector<std::string_view> &words) {
  const TreeNode *value = scalar(key);
  if (value == nullptr) return words.size();
  const auto found = std::find(words.begin(), words.end(), value->scalar);
  if (found == words.end()) {
    std::string list;
    for (std::size_t i = 0; i < words.size(); ++i)
      list += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + std::string{words[i]};
    findings_.add(value->at, name(key) + " is " + in_quotes(value->scalar) + "; write " + list);
  }
  return static_cast<std::size_t>(found - words.begin());
}

}  // namespace iptrackd::config
