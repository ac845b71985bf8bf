#include "config/tree.h"

#include <doctest/doctest.h>

#include <string>

using namespace iptrackd::config;

namespace {

std::string refusal(const std::string &text) {
  const auto tree = parse_tree(text, "f");
  if (tree) return {};
  CHECK(tree.error().fault() == iptrackd::Fault::usage);
  return tree.error().message();
}

bool begins(const std::string &text, const std::string &prefix) {
  return text.rfind(prefix, 0) == 0;
}

}  // namespace

TEST_CASE("each key and value knows where it stands") {
  const auto tree = parse_tree("a: 1\nb:\n  c: \"x\"\n  d: [7, {e: f}]\n", "f");
  REQUIRE(tree);
  const auto *b = tree->find("b");
  REQUIRE(b != nullptr);
  CHECK(b->key_at.to_string() == "f:2:1");
  const auto *c = b->find("c");
  REQUIRE(c != nullptr);
  CHECK(c->scalar == "x");
  CHECK(c->key_at.to_string() == "f:3:3");
  CHECK(c->at.to_string() == "f:3:6");
  const auto *d = b->find("d");
  REQUIRE(d != nullptr);
  CHECK(d->type == TreeNode::Type::sequence);
  REQUIRE(d->children.size() == 2);
  CHECK(d->children[0].at.to_string() == "f:4:7");
  CHECK(d->children[1].find("e")->scalar == "f");
  CHECK(tree->find("c") == nullptr);
  CHECK(c->find("x") == nullptr);
}

TEST_CASE("an empty document is an empty mapping") {
  for (const auto *text : {"", "\n\n", "# only a comment\n", "---\n", "~", "{}"}) {
    CAPTURE(text);
    const auto tree = parse_tree(text, "f");
    REQUIRE(tree);
    CHECK(tree->type == TreeNode::Type::mapping);
    CHECK(tree->children.empty());
  }
}

TEST_CASE("what is not a plain mapping of plain values is refused where it stands") {
  CHECK(refusal("- a\n") == "f:1:1: the file is not a mapping; write 'key: value' lines");
  CHECK(begins(refusal("just text"), "f:1:1: the file is not a mapping"));
  CHECK(begins(refusal("a: 1\nb: 2\na: 3\n"), "f:3:1: the key 'a' stands here a second time; line 1"));
  CHECK(begins(refusal("a: &x 1\n"), "f:1:4: an anchor"));
  CHECK(begins(refusal("a: &x {b: 1}\n"), "f:1:4: an anchor"));
  CHECK(begins(refusal("a: !!int 1\n"), "f:1:4: a tag"));
  CHECK(begins(refusal("a: !local [1]\n"), "f:1:4: a tag"));
  CHECK(begins(refusal("a: 1\n---\nb: 2\n"), "f:2:1: a second document"));
  CHECK(begins(refusal("? [a, b]\n: 1\n"), "f:1:3: a key is a list"));
  CHECK(begins(refusal("~: 1\n"), "f:1:1: a key is empty"));
  CHECK(begins(refusal("a: \"x\\0y\"\n"), "f:1:4: the value holds a NUL"));
  CHECK(begins(refusal("a: \"unterminated\nb: 1\n\n"), "f:2:5: not valid YAML: illegal EOF in scalar"));
  CHECK(begins(refusal("a: 'unterminated\n"), "f:1:17: not valid YAML: illegal EOF in scalar"));
  CHECK(begins(refusal("a: [1, 2\n"), "f:1:1: not valid YAML: "));
  CHECK(begins(refusal("a: 1\n  b: 2\n"), "f:2:4: not valid YAML: "));
  CHECK(begins(refusal("a: *x\n"), "f:1:4: not valid YAML: "));
}

TEST_CASE("control characters are refused before the parser takes one for the end of the file") {
  CHECK(begins(refusal(std::string{"a: 1\nb: \x04\nc: 2\n"}), "f:2:4: a control character"));
  CHECK(begins(refusal(std::string{"a: 1\0b", 6}), "f:1:5: a control character"));
  CHECK(begins(refusal("a: \x7f"), "f:1:4: a control character"));
  CHECK(begins(refusal("a: \x1b[31m"), "f:1:4: a control character"));
  CHECK(refusal("a:\t1\r\n").empty());
}

TEST_CASE("hostile documents end in an error, soon") {
  CHECK(begins(refusal(std::string(500'000, '[')), "f:1:1"));
  CHECK(begins(refusal("a: " + std::string(500'000, '[')), "f:1:"));
  CHECK(begins(refusal("a: " + std::string(500'000, '{')), "f:1:"));
  std::string steps;
  for (int depth = 0; depth < 600; ++depth)
    steps += std::string(static_cast<std::size_t>(depth), ' ') + "a:\n";
  CHECK(refusal(steps).find("nested too deep") != std::string::npos);
  std::string bomb = "a: &a [x, x]\n";
  for (char name = 'b'; name < 'z'; ++name)
    bomb += std::string{name} + ": &" + name + " [*" + char(name - 1) + "]\n";
  CHECK(begins(refusal(bomb), "f:1:4: an anchor"));
  std::string keys;
  for (int i = 0; i < 300; ++i) keys += "k" + std::to_string(i) + ": 1\n";
  CHECK(refusal(keys).find("too many keys") != std::string::npos);
  std::string items = "a:\n";
  for (std::size_t i = 0; i <= nodes_max; ++i) items += "- x\n";
  CHECK(refusal(items).find("too many values") != std::string::npos);
}

TEST_CASE("every prefix of a document is either read or refused") {
  const std::string text =
      "a: {b: [1, \"two\", 'three'], c: ~}\nd:\n  - e: |\n      block\n    f: >-\n      folded\n  - "
      "\"\\u00e9\\x41\"\n# end\n";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const auto tree = parse_tree(text.substr(0, size), "f");
    if (!tree) CHECK(begins(tree.error().message(), "f:"));
  }
}

TEST_CASE("a merge goes into mappings and replaces everything else") {
  auto base = parse_tree("m: {a: 1, b: 2}\nl: [1, 2]\ns: x\nkept: y\n", "base");
  auto over = parse_tree("m: {b: 3, c: 4}\nl: [9]\ns: {deep: 1}\nnew: z\n", "over");
  REQUIRE(base);
  REQUIRE(over);
  merge_tree(*base, std::move(*over));
  const auto *m = base->find("m");
  CHECK(m->find("a")->scalar == "1");
  CHECK(m->find("b")->scalar == "3");
  CHECK(m->find("b")->at.file == "over");
  CHECK(m->find("c")->scalar == "4");
  CHECK(base->find("l")->children.size() == 1);
  CHECK(base->find("s")->type == TreeNode::Type::mapping);
  CHECK(base->find("kept")->scalar == "y");
  CHECK(base->find("new")->scalar == "z");
}

TEST_CASE("a section without a value leaves the mapping below it alone") {
  auto base = parse_tree("m: {a: 1}\ns: x\n", "base");
  auto over = parse_tree("m:\ns:\n", "over");
  REQUIRE(base);
  REQUIRE(over);
  merge_tree(*base, std::move(*over));
  CHECK(base->find("m")->find("a")->scalar == "1");
  CHECK(base->find("s")->type == TreeNode::Type::null);
}
