// Findings: what `iptrackd check` prints, one line each, with ok, note or FAIL in front.
#ifndef IPTRACKD_APP_FINDINGS_H
#define IPTRACKD_APP_FINDINGS_H

#include <fmt/core.h>

#include <iostream>
#include <string_view>

#include "app/log.h"

namespace iptrackd::app {

class Findings {
 public:
  void good(std::string_view what, std::string_view text) { print("ok", what, text); }
  void note(std::string_view what, std::string_view text) { print("note", what, text); }
  void bad(std::string_view what, std::string_view text) {
    print("FAIL", what, text);
    failed_ = true;
  }
  [[nodiscard]] bool failed() const noexcept { return failed_; }

 private:
  static void print(std::string_view verdict, std::string_view what, std::string_view text) {
    std::cout << fmt::format("{:<4}  {:<13}  {}\n", verdict, what, printable(text));
  }
  bool failed_ = false;
};

}  // namespace iptrackd::app

#endif
