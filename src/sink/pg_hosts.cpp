#include "sink/pg_hosts.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace iptrackd::sink {
namespace {

constexpr std::array<const char *, 3> lists{"host", "hostaddr", "port"};

std::vector<std::string> split(const std::string &list) {
  std::vector<std::string> parts(1);
  for (const char c : list) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

}  // namespace

std::vector<PgKeywords> each_server(const PgKeywords &keywords) {
  std::map<std::string, std::vector<std::string>> values;
  std::size_t count = 1;
  for (const char *keyword : lists) {
    const auto found = keywords.find(keyword);
    if (found == keywords.end()) continue;
    values[keyword] = split(found->second);
    if (std::string{keyword} != "port") count = std::max(count, values[keyword].size());
  }
  for (const auto &[keyword, parts] : values) {
    const bool one_for_all = keyword == "port" && parts.size() == 1;
    if (parts.size() != count && !one_for_all) return {keywords};
  }
  std::vector<PgKeywords> servers(count, keywords);
  for (std::size_t i = 0; i < count; ++i) {
    for (const auto &[keyword, parts] : values) servers[i][keyword] = parts[parts.size() == 1 ? 0 : i];
  }
  return servers;
}

PgKeywords with_defaults(PgKeywords keywords) {
  keywords["client_encoding"] = "UTF8";
  keywords.try_emplace("fallback_application_name", "iptrackd");
  // A connection whose other end is gone without a word is noticed, also while nothing is sent.
  keywords.try_emplace("tcp_user_timeout", "10000");
  keywords.try_emplace("keepalives_idle", "30");
  keywords.try_emplace("keepalives_interval", "10");
  keywords.try_emplace("keepalives_count", "3");
  // Of several servers only the one that takes rows is of use.
  if (each_server(keywords).size() > 1) keywords.try_emplace("target_session_attrs", "read-write");
  return keywords;
}

}  // namespace iptrackd::sink
