#include "app/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

namespace iptrackd::app {

void log_to_stderr() {
  auto logger = spdlog::stderr_logger_mt("iptrackd");
  // The journal stamps its lines itself.
  logger->set_pattern(isatty(STDERR_FILENO) != 0 ? "%Y-%m-%d %H:%M:%S.%e %l: %v" : "iptrackd: %l: %v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void set_log_level(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::trace:
      return spdlog::set_level(spdlog::level::trace);
    case config::LogLevel::debug:
      return spdlog::set_level(spdlog::level::debug);
    case config::LogLevel::info:
      return spdlog::set_level(spdlog::level::info);
    case config::LogLevel::warn:
      return spdlog::set_level(spdlog::level::warn);
    case config::LogLevel::error:
      return spdlog::set_level(spdlog::level::err);
  }
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out.push_back(c);
    }
  }
  return out;
}

int report(const Error &error) {
  // Configuration errors come one a line, each with its place, which editors and scripts pick up as it
  // stands.
  if (error.fault() == Fault::usage) {
    std::cerr << error.message() << '\n';
  } else {
    std::cerr << "iptrackd: " << printable(error.message()) << '\n';
  }
  return error.exit_code();
}

}  // namespace iptrackd::app
