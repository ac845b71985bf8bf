#include "load.h"

#include <doctest/doctest.h>

#include <stdexcept>

namespace iptrackd::scenario {

Generated generated_by(const std::string &output) {
  const Json json = Json::parse(output);
  return {json.at("sid"),   json.at("events").get<Counts>(),
          json.at("total"), json.at("from"),
          json.at("to"),    json.at("seconds")};
}

Launch generator(const Words &words) {
  Launch launch;
  launch.arguments = words;
  launch.arguments.insert(launch.arguments.begin(), (settings().programs / "generator").string());
  return launch;
}

Generated generate(const Words &words, Milliseconds timeout) {
  const Ended ended = run(generator(words), timeout);
  if (ended.status != 0) throw std::runtime_error{"the generator failed: " + ended.err};
  return generated_by(ended.out);
}

std::int64_t sum(const Counts &counts) {
  std::int64_t total = 0;
  for (const auto &[kind, count] : counts) total += count;
  return total;
}

Lost lost_since(Rows &rows, std::int64_t since) {
  Lost lost;
  for (const Json &row : rows.losses(since)) {
    if (row.at("count").is_null()) {
      ++lost.unknown;
    } else {
      lost.count += row.at("count").get<std::int64_t>();
    }
  }
  return lost;
}

void check_stored_once(Rows &rows, const Generated &generated, std::int64_t since) {
  const auto found = rows.of_session(generated.sid, since, now_us());
  for (const auto &[kind, count] : generated.events) {
    CAPTURE(kind);
    CHECK(found.at(kind) == count);
  }
  const Lost lost = lost_since(rows, since);
  CHECK(lost.count == 0);
  CHECK(lost.unknown == 0);
}

}  // namespace iptrackd::scenario
