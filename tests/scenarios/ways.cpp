#include "ways.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "shared_daemon.h"
#include "skip.h"

namespace iptrackd::scenario {
namespace {

constexpr int exit_not_here = 77;  // of the oracle, programs/ways.h

bool is(const Json &event, const char *kind, const char *proto) {
  return event.at("kind") == kind && event.at("proto") == proto;
}

template <typename Unwanted>
int remove(Facts &facts, Unwanted unwanted) {
  const auto before = facts.size();
  facts.erase(std::remove_if(facts.begin(), facts.end(), unwanted), facts.end());
  return static_cast<int>(before - facts.size());
}

std::int64_t unseen(const std::vector<Json> &losses, const char *kind) {
  std::int64_t count = 0;
  for (const Json &loss : losses) {
    if (loss.at("kind") == kind && loss.at("cause") == "unseen")
      count += loss.value("count", std::int64_t{0});
  }
  return count;
}

// Losses are booked every second. They are the host's: others may have added to them.
void check_unseen(Rows &rows, int accepts, std::int64_t since) {
  for (const char *kind : {"accept", "close"}) {
    CAPTURE(kind);
    CHECK(eventually(std::chrono::seconds{5}, [&] { return unseen(rows.losses(since), kind) >= accepts; }));
  }
}

}  // namespace

int no_outcome_of_udp_connect(Facts &facts) {
  for (Json &event : facts) {
    if (!is(event, "connect", "udp")) continue;
    for (const char *column : {"result", "duration", "local_addr", "local_port"}) event.erase(column);
  }
  return 0;
}

int no_connect_without_syn(Facts &facts) {
  remove(facts, [](const Json &event) {
    return is(event, "connect", "tcp") && event.at("result") != 0 && event.at("result") != -ECONNREFUSED;
  });
  return 0;
}

int no_failed_bind(Facts &facts) {
  remove(facts, [](const Json &event) { return event.at("kind") == "bind" && event.at("result") != 0; });
  return 0;
}

int no_failed_exec(Facts &facts) {
  remove(facts, [](const Json &event) { return event.at("kind") == "exec" && event.at("result") != 0; });
  return 0;
}

int no_accept(Facts &facts) {
  Facts accepts;
  std::copy_if(facts.begin(), facts.end(), std::back_inserter(accepts),
               [](const Json &event) { return event.at("kind") == "accept"; });
  const auto is_of = [](const Json &event, const Json &accept) {
    return event.value("local_port", Json{}) == accept.at("local_port") &&
           event.value("remote_port", Json{}) == accept.at("remote_port");
  };
  return remove(facts,
                [&](const Json &event) {
                  return std::any_of(accepts.begin(), accepts.end(),
                                     [&](const Json &accept) { return is_of(event, accept); });
                }) /
         2;
}

void check_way(const Words &words, const std::vector<Limit> &of_tracepoints) {
  Rows &rows = shared_rows();
  const std::int64_t since = now_us();
  const Ended ended = run(oracle(words));
  if (ended.status == exit_not_here) return skip(ended.err);
  CAPTURE(ended.err);
  REQUIRE(ended.status == 0);
  Facts facts = Json::parse(ended.out).at("events").get<Facts>();
  int unseen_accepts = 0;
  if (settings().mechanism == "tracepoint") {
    for (const Limit limit : of_tracepoints) unseen_accepts += limit(facts);
  }
  check_facts(rows, facts, since);
  if (unseen_accepts > 0) check_unseen(rows, unseen_accepts, since);
}

}  // namespace iptrackd::scenario
