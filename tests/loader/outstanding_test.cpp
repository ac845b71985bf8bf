#include "loader/outstanding.h"

#include <doctest/doctest.h>

#include <vector>

using namespace iptrackd::loader;

namespace {

struct Fixture {
  std::vector<std::uint64_t> released;
  Outstanding outstanding{[this](std::uint64_t position) { released.push_back(position); }};
};

}  // namespace

TEST_CASE("records that are settled in their order are released one by one") {
  Fixture fixture;
  for (const std::uint64_t end : {16U, 32U, 48U}) fixture.outstanding.add(end);
  for (const std::uint64_t end : {16U, 32U, 48U}) fixture.outstanding.settle(end);
  CHECK(fixture.released == std::vector<std::uint64_t>{16, 32, 48});
  CHECK(fixture.outstanding.empty());
}

TEST_CASE("a record is not released before those in front of it") {
  Fixture fixture;
  for (const std::uint64_t end : {16U, 32U, 48U, 64U}) fixture.outstanding.add(end);
  fixture.outstanding.settle(48);
  fixture.outstanding.settle(32);
  CHECK(fixture.released.empty());
  fixture.outstanding.settle(16);
  CHECK(fixture.released == std::vector<std::uint64_t>{48});
  CHECK_FALSE(fixture.outstanding.empty());
  fixture.outstanding.settle(64);
  CHECK(fixture.released == std::vector<std::uint64_t>{48, 64});
}

TEST_CASE("what was never added, or is settled already, changes nothing") {
  Fixture fixture;
  fixture.outstanding.add(32);
  for (const std::uint64_t end : {16U, 31U, 33U, 64U}) fixture.outstanding.settle(end);
  CHECK(fixture.released.empty());
  fixture.outstanding.settle(32);
  fixture.outstanding.settle(32);
  CHECK(fixture.released == std::vector<std::uint64_t>{32});
}
