#include "config/tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <sstream>
#include <utility>

#include "config/values.h"

namespace iptrackd::config {
namespace {

// What this room refuses; yaml-cpp's own exceptions say only what is wrong, these also what would be right.
// Throwing is the only way to stop the parser.
class Refusal final : public YAML::ParserException {
 public:
  using YAML::ParserException::ParserException;
};

// Builds the tree from the parser's events rather than from YAML::Node, which would resolve aliases, keep
// only the last of two equal keys and lose the columns of keys.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const std::string &file) : file_{file} {}

  [[nodiscard]] TreeNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark &mark) override {
    if (documents_++ > 0)
      refuse(mark, "a second document begins; one file holds one, without '---' in between");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark &mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    if (expects_key()) refuse(mark, "a key is empty; write 'key: value'");
    add(leaf(TreeNode::Type::null, mark));
  }
  void OnAlias(const YAML::Mark &mark, YAML::anchor_t /*anchor*/) override {
    refuse(mark, "an alias is used; aliases and anchors are not supported, write the value out");
  }
  void OnScalar(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                const std::string &value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (value.find('\0') != std::string::npos) refuse(mark, "the value holds a NUL byte; remove the escape");
    if (expects_key()) return set_key(mark, value);
    TreeNode node = leaf(TreeNode::Type::scalar, mark);
    node.scalar = value;
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(TreeNode::Type::sequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(TreeNode::Type::mapping, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    TreeNode node;
    std::string key;  // the key whose value comes next
    Position key_at;
    bool key_set = false;
  };

  [[noreturn]] static void refuse(const YAML::Mark &mark, const std::string &what) {
    throw Refusal{mark, what};
  }
  static void refuse_anchor(const YAML::Mark &mark, YAML::anchor_t anchor) {
    if (anchor != 0) refuse(mark, "an anchor is set; anchors and aliases are not supported, remove it");
  }
  static void refuse_tag(const YAML::Mark &mark, const std::string &tag) {
    // "?" stands for a plain value without a tag, "!" for a quoted one.
    if (!tag.empty() && tag != "?" && tag != "!")
      refuse(mark, "a tag is used; tags are not supported, remove it");
  }

  [[nodiscard]] Position position(const YAML::Mark &mark) const {
    return {file_, mark.line + 1, mark.column + 1};
  }

  [[nodiscard]] bool expects_key() const {
    return !open_.empty() && open_.back().node.type == TreeNode::Type::mapping && !open_.back().key_set;
  }

  TreeNode leaf(TreeNode::Type type, const YAML::Mark &mark) {
    if (++nodes_ > nodes_max)
      refuse(mark, "there are too many values; " + std::to_string(nodes_max) + " is the limit");
    TreeNode node;
    node.type = type;
    node.at = position(mark);
    return node;
  }

  void set_key(const YAML::Mark &mark, const std::string &name) {
    Open &map = open_.back();
    if (const TreeNode *first = map.node.find(name)) {
      refuse(mark, "the key " + in_quotes(name) + " stands here a second time; line " +
                       std::to_string(first->key_at.line) + " has it already, keep one");
    }
    if (map.node.children.size() >= keys_max)
      refuse(mark, "the mapping has too many keys; no section has that many");
    map.key = name;
    map.key_at = position(mark);
    map.key_set = true;
  }

  void add(TreeNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open &parent = open_.back();
    if (parent.node.type == TreeNode::Type::mapping) {
      node.key = std::move(parent.key);
      node.key_at = parent.key_at;
      parent.key_set = false;
    }
    parent.node.children.push_back(std::move(node));
  }

  void open(TreeNode::Type type, const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (expects_key()) refuse(mark, "a key is a list or a mapping; write 'key: value'");
    if (open_.size() >= depth_max)
      refuse(mark, "values are nested too deep; no key is deeper than three levels");
    open_.push_back({leaf(type, mark), {}, {}, false});
  }

  void close() {
    TreeNode node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  const std::string &file_;
  TreeNode root_;
  std::vector<Open> open_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

tl::unexpected<Error> fail_at(const Position &at, const std::string &message) {
  return fail(Fault::usage, at.to_string() + ": " + message);
}

// YAML allows no control characters but these, and yaml-cpp takes byte 4 for the end of the file, which would
// silently drop all that follows.
std::size_t find_control_character(std::string_view text) {
  const auto *found = std::find_if(text.begin(), text.end(), [](char character) {
    const auto byte = static_cast<unsigned char>(character);
    return (byte < 0x20 && character != '\t' && character != '\n' && character != '\r') || byte == 0x7f;
  });
  return static_cast<std::size_t>(found - text.begin());
}

Position position_of(std::string_view text, std::size_t offset, const std::string &file) {
  const auto before = text.substr(0, offset);
  const auto line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {file, static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(offset - line_start) + 1};
}

TreeNode parse_document(std::string_view text, const std::string &file) {
  // yaml-cpp notices a quote that is never closed only where the text ends in a character of it; after a
  // newline it would take the rest of the file for the value.
  const auto last = text.find_last_not_of(" \t\r\n");
  std::istringstream stream{std::string{text.substr(0, last == std::string_view::npos ? 0 : last + 1)}};
  YAML::Parser parser{stream};
  TreeBuilder builder{file};
  while (parser.HandleNextDocument(builder)) {
  }
  return builder.take();
}

}  // namespace

const TreeNode *TreeNode::find(std::string_view name) const noexcept {
  const auto found = std::find_if(children.begin(), children.end(),
                                  [&](const TreeNode &child) { return child.key == name; });
  return type == Type::mapping && found != children.end() ? &*found : nullptr;
}

TreeNode *TreeNode::find(std::string_view name) noexcept {
  return const_cast<TreeNode *>(std::as_const(*this).find(name));
}

Result<TreeNode> parse_tree(std::string_view text, const std::string &file) {
  const auto control = find_control_character(text);
  if (control < text.size())
    return fail_at(position_of(text, control, file),
                   R"(a control character stands here; remove it, or write it as "\xHH" in double quotes)");
  try {
    TreeNode root = parse_document(text, file);
    if (root.type == TreeNode::Type::null) {
      root.type = TreeNode::Type::mapping;
      root.at = {file, 1, 1};
    }
    if (root.type != TreeNode::Type::mapping)
      return fail_at(root.at, "the file is not a mapping; write 'key: value' lines");
    return root;
  } catch (const Refusal &refusal) {
    return fail_at({file, refusal.mark.line + 1, refusal.mark.column + 1}, refusal.msg);
  } catch (const YAML::Exception &error) {
    const bool nowhere = error.mark.is_null();
    const Position at{file, nowhere ? 1 : error.mark.line + 1, nowhere ? 1 : error.mark.column + 1};
    return fail_at(at, "not valid YAML: " + printable(error.msg) +
                           "; check the indentation, quotes and brackets before this place");
  } catch (const std::exception &error) {
    return fail_at({file, 1, 1}, "cannot be parsed: " + printable(error.what()) + "; write valid YAML");
  }
}

void merge_tree(TreeNode &base, TreeNode over) {
  for (TreeNode &child : over.children) {
    TreeNode *mine = base.find(child.key);
    if (mine == nullptr) {
      base.children.push_back(std::move(child));
    } else if (mine->type == TreeNode::Type::mapping && child.type == TreeNode::Type::mapping) {
      merge_tree(*mine, std::move(child));
    } else if (mine->type != TreeNode::Type::mapping || child.type != TreeNode::Type::null) {
      *mine = std::move(child);
    }
  }
}

}  // namespace iptrackd::config
