#include "core/loss_book.h"

#include <doctest/doctest.h>

using namespace iptrackd;

TEST_CASE("losses of one cause become one row that spans them") {
  LossBook book;
  CHECK(book.empty());
  book.add({50, 60, "kernel", "ring-full", Kind::exec, 7U, 2U});
  book.add({10, 20, "kernel", "ring-full", Kind::exec, 7U, 3U});
  book.add({70, 80, "kernel", "ring-full", Kind::exec, 8U, 1U});
  book.add({70, 80, "kernel", "ring-full", {}, 7U, 1U});
  const auto losses = book.take();
  REQUIRE(losses.size() == 3);
  CHECK(losses[1].uid == 7U);
  CHECK(losses[1].from_unix_us == 10);
  CHECK(losses[1].to_unix_us == 60);
  CHECK(losses[1].count == 5U);
  CHECK(book.empty());
}

TEST_CASE("an unknown count stays unknown and apart") {
  LossBook book;
  book.add({1, 2, "fifo", "garbage", {}, {}, {}});
  book.add({3, 4, "fifo", "garbage", {}, {}, {}});
  book.add({5, 6, "fifo", "garbage", {}, {}, 9U});
  const auto losses = book.take();
  REQUIRE(losses.size() == 2);
  CHECK(!losses[0].count);
  CHECK(losses[0].to_unix_us == 4);
  CHECK(losses[1].count == 9U);
}

TEST_CASE("many users do not make the book grow without bound") {
  LossBook book;
  for (std::uint32_t uid = 0; uid < 5000; ++uid) book.add({1, 2, "kernel", "ring-full", Kind::exec, uid, 1U});
  const auto losses = book.take();
  CHECK(losses.size() == LossBook::most_rows + 1);
  std::uint64_t total = 0;
  for (const Loss &loss : losses) total += loss.count.value_or(0);
  CHECK(total == 5000);
}
