#include "config/load.h"

#include <sys/stat.h>
#include <sys/utsname.h>

#include <array>
#include <cstdio>
#include <exception>
#include <utility>
#include <vector>

#include "config/files.h"
#include "config/fill.h"
#include "config/section.h"
#include "config/tree.h"
#include "config/values.h"
#include "iptrackd/build_options.h"

namespace iptrackd::config {
namespace {

// Before the merge: a password that a drop-in replaces can still be read in the file that it stands in.
void check_secrecy(const TreeNode &root, mode_t mode, Findings &findings) {
  constexpr mode_t others = S_IRWXG | S_IRWXO;
  const TreeNode *database = root.find("database");
  if (database == nullptr || (mode & others) == 0) return;
  for (const auto *const secret : {"password", "sslpassword"}) {
    const TreeNode *node = database->find(secret);
    if (node == nullptr || node->type == TreeNode::Type::null) continue;
    std::array<char, 8> octal{};
    std::snprintf(octal.data(), octal.size(), "%04o", mode & 07777U);
    findings.add(node->key_at, "database." + std::string{secret} +
                                   " stands in a file that others can open (mode " + octal.data() +
                                   "); run: chmod 600 " + printable(node->key_at.file));
  }
}

struct Sources {
  TreeNode root;
  std::vector<std::string> errors;  // lines of files that could not be read or parsed
};

void add_source(const std::string &path, Sources &sources, Findings &findings) {
  auto content = read_file(path);
  if (!content) return sources.errors.push_back(content.error().message());
  auto tree = parse_tree(content->text, path);
  if (!tree) return sources.errors.push_back(tree.error().message());
  check_secrecy(*tree, content->mode, findings);
  if (sources.root.type == TreeNode::Type::null) {
    sources.root = std::move(*tree);
  } else {
    merge_tree(sources.root, std::move(*tree));
  }
}

std::string lines(const std::vector<std::string> &errors) {
  std::string out;
  for (const auto &error : errors) out += (out.empty() ? "" : "\n") + error;
  return out;
}

Result<std::string> node_name() {
  utsname names{};
  if (::uname(&names) != 0) return fail_errno("cannot get the node name");
  return std::string{static_cast<const char *>(names.nodename)};
}

Result<Config> load_unguarded(const std::string &file) {
  Sources sources;
  Findings findings;
  add_source(file, sources, findings);
  if (!sources.errors.empty()) return fail(Fault::usage, lines(sources.errors));
  const auto drop_ins = list_drop_ins(file, IPTRACKD_CONFIG_FILE);
  if (!drop_ins) {
    sources.errors.push_back(drop_ins.error().message());
  } else {
    for (const auto &path : *drop_ins) add_source(path, sources, findings);
  }
  if (!sources.errors.empty()) return fail(Fault::usage, lines(sources.errors));

  Config config = fill(sources.root, findings);
  if (!findings.empty()) return fail(Fault::usage, findings.to_string());
  if (config.host_name.empty()) {
    auto name = node_name();
    if (!name) return tl::unexpected{name.error()};
    config.host_name = std::move(*name);
  }
  return config;
}

}  // namespace

Result<Config> load(const std::string &file) {
  try {
    return load_unguarded(file);
  } catch (const std::exception &error) {
    // Out of memory and the like; yaml-cpp's own exceptions end in parse_tree.
    return fail(Fault::usage, Position{file, 1, 1}.to_string() + ": cannot be loaded: " +
                                  printable(error.what()) + "; name a configuration file");
  }
}

}  // namespace iptrackd::config
