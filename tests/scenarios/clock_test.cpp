// The clock is set while things happen. Only where nobody else lives by it: IPTRACKD_TEST_MAY_SET_CLOCK says
// so.
#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <thread>

#include "deed.h"
#include "shared_daemon.h"
#include "skip.h"

namespace iptrackd::scenario {
namespace {

constexpr std::int64_t hour_us = 3'600'000'000;

void move_clock(std::int64_t seconds) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  now.tv_sec += seconds;
  if (clock_settime(CLOCK_REALTIME, &now) != 0) throw std::runtime_error{"the clock cannot be set"};
}

struct Deed {
  int pid = 0;
  std::int64_t at = 0;  // by the clock as it was then
};

Deed perform() {
  const std::int64_t at = now_us();
  const Facts facts = facts_of(oracle({"close", "sent=10"}));
  return {facts.front().at("pid").get<int>(), at};
}

}  // namespace

TEST_CASE("clock: set forth and back by an hour") {
  if (std::getenv("IPTRACKD_TEST_MAY_SET_CLOCK") == nullptr)
    return skip("others on this host live by its clock; virtual machines run it");
  Rows &rows = shared_rows();
  const std::int64_t since = now_us() - 2 * hour_us;
  std::vector<Deed> deeds{perform()};
  for (const int seconds : {3600, -3600, -3600, 3600}) {
    move_clock(seconds);
    // What happens before the daemon has looked at the clock again may still get the time as it was before.
    std::this_thread::sleep_for(Milliseconds{500});
    deeds.push_back(perform());
  }
  wait_for_rows(rows);
  std::int64_t last_seq = 0;
  for (const Deed &deed : deeds) {
    const auto found = rows.of_processes({deed.pid}, since);
    REQUIRE_FALSE(found.empty());
    for (const Json &row : found) {
      CAPTURE(row.dump());
      CHECK(row.at("seq").get<std::int64_t>() > last_seq);
      last_seq = row.at("seq");
      // The time is that of the clock as it stood then.
      CHECK(std::abs(row.at("ts").get<std::int64_t>() - deed.at) < hour_us / 60);
      if (!row.at("duration").is_null()) CHECK(row.at("duration").get<std::int64_t>() >= 0);
      if (!row.at("duration").is_null()) CHECK(row.at("duration").get<std::int64_t>() < hour_us / 60);
    }
  }
}

}  // namespace iptrackd::scenario
