#include "sink/backoff.h"

#include <doctest/doctest.h>

using namespace iptrackd;

TEST_CASE("waits grow to the longest, spread over the whole range, and start over after a success") {
  using std::chrono::milliseconds;
  sink::Backoff backoff{{milliseconds{100}, milliseconds{1000}}};
  for (const int bound : {100, 200, 400, 800, 1000, 1000}) {
    CHECK(backoff.bound() == milliseconds{bound});
    CHECK(backoff.next() <= milliseconds{bound});
  }
  int low = 0;
  int high = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto wait = backoff.next();
    CHECK(wait <= milliseconds{1000});
    low += wait < milliseconds{250};
    high += wait > milliseconds{750};
  }
  CHECK(low > 150);
  CHECK(high > 150);
  backoff.reset();
  CHECK(backoff.bound() == milliseconds{100});
}
