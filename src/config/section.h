// Section: one mapping of the file, read key by key into Config. What is wrong goes to Findings and leaves
// the default in place, so that one run reports all errors.
//
// A key that no reader asked for is unknown: the readers are the only list of keys that there is.
#ifndef IPTRACKD_CONFIG_SECTION_H
#define IPTRACKD_CONFIG_SECTION_H

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/tree.h"

namespace iptrackd::config {

class Findings {
 public:
  // MESSAGE is "what is wrong; what would be right".
  void add(const Position &at, const std::string &message);
  // To be called once, when every section has been read.
  void report_unknown_keys();
  [[nodiscard]] bool empty() const noexcept { return findings_.empty(); }
  // One line each, in the order of files, lines and columns.
  [[nodiscard]] std::string to_string() const;
  // "pam.fifo-file" and the like: every key that was asked for.
  [[nodiscard]] std::vector<std::string> known_keys() const;

 private:
  friend class Section;
  struct Finding {
    Position at;
    std::string message;
  };
  struct Asked {
    const TreeNode *node;  // null where the section is absent
    std::string path;      // empty for the root
    std::vector<std::string> keys;
  };
  [[nodiscard]] std::string advice(const Asked &section, const std::string &key) const;

  std::vector<Finding> findings_;
  std::vector<Asked> asked_;
};

class Section {
 public:
  // NODE may be null (absent). PATH is its dotted name, empty for the root. FINDINGS and NODE must outlive
  // it.
  Section(Findings &findings, const TreeNode *node, std::string path);

  [[nodiscard]] Section section(std::string_view key);
  // The value of KEY where it has one, unread; null otherwise.
  [[nodiscard]] const TreeNode *take(std::string_view key);

  // Each leaves OUT alone where the key is absent or wrong.
  void flag(std::string_view key, bool &out);
  void text(std::string_view key, std::string &out);
  void absolute_path(std::string_view key, std::string &out);
  void size(std::string_view key, std::uint64_t &out, std::int64_t min, std::int64_t max);
  void duration(std::string_view key, std::chrono::milliseconds &out, std::chrono::milliseconds max);

  template <std::integral T>
  void integer(std::string_view key, T &out, std::int64_t min, std::int64_t max) {
    out = static_cast<T>(bounded(key, static_cast<std::int64_t>(out), min, max));
  }
  // A plain number in the unit of OUT, which the key's name says.
  template <typename Rep, typename Period>
  void integer(std::string_view key, std::chrono::duration<Rep, Period> &out, std::int64_t min,
               std::int64_t max) {
    out = std::chrono::duration<Rep, Period>{bounded(key, out.count(), min, max)};
  }
  template <typename Enum>
  void choice(std::string_view key, Enum &out,
              std::initializer_list<std::pair<std::string_view, Enum>> names) {
    std::vector<std::string_view> words;
    for (const auto &[word, value] : names) words.push_back(word);
    const auto index = chosen(key, words);
    if (index < words.size()) out = std::data(names)[index].second;
  }

  // Where the first of KEYS that the file has stands; else where this section stands.
  [[nodiscard]] Position at(std::initializer_list<std::string_view> keys) const;
  [[nodiscard]] Findings &findings() noexcept { return findings_; }
  void complain(const Position &where, const std::string &message) { findings_.add(where, message); }
  // "pam.fifo-file": KEY as messages name it.
  [[nodiscard]] std::string name(std::string_view key) const;

 private:
  [[nodiscard]] const TreeNode *scalar(std::string_view key);
  [[nodiscard]] std::int64_t bounded(std::string_view key, std::int64_t current, std::int64_t min,
                                     std::int64_t max);
  [[nodiscard]] std::size_t chosen(std::string_view key, const std::vector<std::string_view> &words);

  Findings &findings_;
  const TreeNode *node_;
  std::string path_;
  std::size_t asked_;  // index into findings_.asked_
};

}  // namespace iptrackd::config

#endif
