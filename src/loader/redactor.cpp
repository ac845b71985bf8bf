#include "loader/redactor.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

namespace iptrackd::loader {
namespace {

constexpr std::string_view replacement = "***";
constexpr int groups_max = 8;

struct Range {
  std::size_t begin;
  std::size_t end;
};

using Regexes = std::vector<const RE2 *>;

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

RE2::Options options() {
  RE2::Options options;
  options.set_encoding(RE2::Options::EncodingLatin1);  // argv is bytes; UTF-8 mode would skip what is invalid
  options.set_log_errors(false);
  return options;
}

// (?m): ^ and $ match at the ends of lines.
std::string in_line_mode(const std::string &pattern) {
  return "(?m)" + pattern;
}

// ARGV, each argument followed by a NUL, as lines. Offsets stay the same.
std::string as_lines(std::string_view argv) {
  std::string lines{argv.substr(0, argv.size() - 1)};
  for (char &character : lines) {
    if (character == '\n') {
      character = '\r';
    } else if (character == '\0') {
      character = '\n';
    }
  }
  return lines;
}

std::string_view basename(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// Notes the range of PART of LINES, without the boundaries between arguments that it may span.
void note(std::string_view lines, const re2::StringPiece &part, std::vector<Range> &ranges) {
  auto begin = static_cast<std::size_t>(part.data() - lines.data());
  const auto end = begin + part.size();
  while (begin < end) {
    const auto boundary = std::min(lines.find('\n', begin), end);
    if (begin < boundary) ranges.push_back({begin, boundary});
    begin = boundary + 1;
  }
}

void find_matches(const RE2 &regex, std::string_view lines, std::size_t from, std::vector<Range> &ranges) {
  std::array<re2::StringPiece, groups_max + 1> parts;
  const int count = std::min(regex.NumberOfCapturingGroups(), groups_max) + 1;
  while (from <= lines.size() &&
         regex.Match(piece(lines), from, lines.size(), RE2::UNANCHORED, parts.data(), count)) {
    bool any = false;
    for (int i = 1; i < count; ++i) {
      if (parts[i].data() == nullptr) continue;
      note(lines, parts[i], ranges);
      any = true;
    }
    if (!any) note(lines, parts[0], ranges);
    const auto end = static_cast<std::size_t>(parts[0].data() - lines.data()) + parts[0].size();
    from = std::max(end, from + 1);
  }
}

std::string replaced(std::string_view argv, std::vector<Range> &ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range &a, const Range &b) { return a.begin < b.begin; });
  std::string out;
  std::size_t done = 0;
  for (const auto &range : ranges) {
    if (range.begin >= done) {
      // Ranges that touch are one secret.
      if (range.begin > done || done == 0)
        out.append(argv.substr(done, range.begin - done)).append(replacement);
      done = range.end;
    } else {
      done = std::max(done, range.end);
    }
  }
  return out.append(argv.substr(done));
}

}  // namespace

struct Redactor::Patterns {
  std::map<std::string, std::unique_ptr<const RE2>, std::less<>> compiled;  // by pattern; owns
  Regexes everywhere;                                                       // rules of "*"
  std::unique_ptr<RE2::Set> any_everywhere;                                 // the same as one automaton
  std::map<std::string, Regexes, std::less<>> programs;                     // by basename or absolute path
  std::unique_ptr<const RE2> program;  // finds arguments that name one of them

  [[nodiscard]] std::string add(const Rule &rule);
  [[nodiscard]] bool finish();
  [[nodiscard]] const Regexes *of_program(std::string_view name) const;
  void match_everywhere(std::string_view lines, std::vector<Range> &ranges) const;
  void match_programs(const Text &exe, std::string_view lines, std::vector<Range> &ranges) const;
};

// Returns what is wrong; empty: nothing.
std::string Redactor::Patterns::add(const Rule &rule) {
  const bool path = !rule.exe.empty() && rule.exe.front() == '/';
  if (rule.exe.empty() || (!path && rule.exe.find('/') != std::string::npos) ||
      rule.exe.find_first_of(std::string_view{"\n\0", 2}) != std::string::npos)
    return "the program of a redact rule is '" + rule.exe + "'; write its name, its absolute path, or *";
  auto &regex = compiled[rule.pattern];
  if (!regex) regex = std::make_unique<const RE2>(in_line_mode(rule.pattern), options());
  if (!regex->ok()) {
    const RE2 as_written{rule.pattern, options()};  // for a message without what was put in front
    const auto &reason = as_written.ok() ? regex->error() : as_written.error();
    return "the pattern of a redact rule is not valid: " + reason + "; write it in RE2 syntax";
  }
  auto &regexes = rule.exe == "*" ? everywhere : programs[rule.exe];
  if (std::find(regexes.begin(), regexes.end(), regex.get()) == regexes.end()) regexes.push_back(regex.get());
  return {};
}

bool Redactor::Patterns::finish() {
  if (!everywhere.empty()) {
    any_everywhere = std::make_unique<RE2::Set>(options(), RE2::UNANCHORED);
    for (const auto *regex : everywhere) {
      if (any_everywhere->Add(piece(regex->pattern()), nullptr) < 0) return false;
    }
    if (!any_everywhere->Compile()) return false;
  }
  if (programs.empty()) return true;
  std::string names;
  for (const auto &[name, regexes] : programs) names += (names.empty() ? "" : "|") + RE2::QuoteMeta(name);
  // A login shell's argv[0] begins with "-".
  program = std::make_unique<const RE2>(in_line_mode("^(?:-|.*/)?(?:" + names + ")$"), options());
  return program->ok();
}

const Regexes *Redactor::Patterns::of_program(std::string_view name) const {
  const auto found = programs.find(name);
  return found == programs.end() ? nullptr : &found->second;
}

void Redactor::Patterns::match_everywhere(std::string_view lines, std::vector<Range> &ranges) const {
  if (!any_everywhere) return;
  std::vector<int> hits;
  RE2::Set::ErrorInfo error{RE2::Set::kNoError};
  // An automaton that ran out of memory has decided nothing: then each regex is asked.
  if (any_everywhere->Match(piece(lines), &hits, &error)) {
    for (const int hit : hits) find_matches(*everywhere[static_cast<std::size_t>(hit)], lines, 0, ranges);
  } else if (error.kind != RE2::Set::kNoError) {
    for (const auto *regex : everywhere) find_matches(*regex, lines, 0, ranges);
  }
}

void Redactor::Patterns::match_programs(const Text &exe, std::string_view lines,
                                        std::vector<Range> &ranges) const {
  if (!program) return;
  std::vector<const Regexes *> applied;
  const auto apply_from = [&](std::string_view name, std::size_t from) {
    for (const auto key : {name, basename(name)}) {
      const auto *regexes = of_program(key);
      if (regexes == nullptr || std::find(applied.begin(), applied.end(), regexes) != applied.end()) continue;
      applied.push_back(regexes);
      for (const auto *regex : *regexes) find_matches(*regex, lines, from, ranges);
    }
  };
  if (exe.known()) apply_from(exe.view(), 0);
  re2::StringPiece argument;
  for (std::size_t from = 0; from <= lines.size() && applied.size() < programs.size();) {
    if (!program->Match(piece(lines), from, lines.size(), RE2::UNANCHORED, &argument, 1)) break;
    const auto begin = static_cast<std::size_t>(argument.data() - lines.data());
    const std::string_view name{argument.data(), argument.size()};
    apply_from(name, begin);
    if (name.starts_with('-')) apply_from(name.substr(1), begin);
    from = begin + name.size() + 1;
  }
}

Redactor::Redactor(std::unique_ptr<const Patterns> patterns) : patterns_{std::move(patterns)} {}
Redactor::Redactor(Redactor &&) noexcept = default;
Redactor &Redactor::operator=(Redactor &&) noexcept = default;
Redactor::~Redactor() = default;

Result<Redactor> Redactor::create(std::span<const Rule> rules) {
  auto patterns = std::make_unique<Patterns>();
  std::string errors;
  for (const auto &rule : rules) {
    const auto wrong = patterns->add(rule);
    if (!wrong.empty()) errors += (errors.empty() ? "" : "\n") + rule.where + ": " + wrong;
  }
  if (!errors.empty()) return fail(Fault::usage, errors);
  if (!patterns->finish())
    return fail(Fault::usage, "the redact rules are too large together; write fewer or shorter ones");
  return Redactor{std::move(patterns)};
}

bool Redactor::apply(Event &event) const {
  const auto argv = event.args.bytes();
  if (argv.empty()) return false;
  const auto lines = as_lines(argv);
  std::vector<Range> ranges;
  patterns_->match_everywhere(lines, ranges);
  patterns_->match_programs(event.exe, lines, ranges);
  if (ranges.empty()) return false;
  event.args.assign(replaced(argv, ranges));
  event.set(Mark::redacted);
  return true;
}

}  // namespace iptrackd::loader
