#include "evasion.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "shared_daemon.h"
#include "skip.h"

namespace iptrackd::scenario {
namespace {

constexpr int exit_not_here = 77;  // of the oracle, programs/ways.h

}  // namespace

std::optional<Seen> watch(const Launch &launch, const Adjust &adjust) {
  Rows &rows = shared_rows();
  Naive naive;
  const std::int64_t since = now_us();
  const Ended ended = run(launch);
  if (ended.status == exit_not_here) {
    skip(ended.err);
    return std::nullopt;
  }
  CAPTURE(ended.err);
  REQUIRE(ended.status == 0);
  Seen seen{Json::parse(ended.out).at("events").get<Facts>(), naive.stop()};
  if (adjust) std::for_each(seen.facts.begin(), seen.facts.end(), adjust);
  check_facts(rows, seen.facts, since);
  // A control that saw nothing at all would prove nothing.
  REQUIRE_FALSE(seen.naive.names(seen.pid()).empty());
  return seen;
}

std::vector<Json> of_kind(const std::vector<Json> &rows, const std::string &kind) {
  std::vector<Json> found;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(found),
               [&](const Json &row) { return row.at("kind") == kind; });
  return found;
}

Json connect_in(const Facts &facts) {
  return of_kind(facts, "connect").at(0);
}

Json client_close_in(const Facts &facts) {
  const Json connect = connect_in(facts);
  auto closes = of_kind(facts, "close");
  std::erase_if(closes, [&](const Json &row) {
    return row.at("local_port") != connect.at("local_port") ||
           row.value("remote_port", Json{}) != connect.at("remote_port");
  });
  return closes.at(0);
}

void check_hidden_connect(const Words &words) {
  const auto seen = watch(oracle(words));
  if (seen) CHECK_FALSE(seen->naive.tells_connect(connect_in(seen->facts)));
}

void check_hidden_close(const Words &words, const Adjust &adjust) {
  const auto seen = watch(oracle(words), adjust);
  if (!seen) return;
  const Json connect = connect_in(seen->facts);
  CHECK(seen->naive.tells_connect(connect));
  CHECK_FALSE(seen->naive.tells_close(connect, client_close_in(seen->facts)));
}

}  // namespace iptrackd::scenario
