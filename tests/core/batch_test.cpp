#include "core/batch.h"

#include <doctest/doctest.h>

using namespace iptrackd;

namespace {

// Entries 10 event, 11 loss, 13 event, 14 host event; 12 was damaged.
Batch sample() {
  Batch batch;
  batch.begin({"host", "boot"}, {10, 7});
  batch.add_event(10, 100).seq = 1;
  batch.add_loss(11, 110).cause = "ring-full";
  batch.add_event(13, 130).seq = 2;
  batch.add_host_event(14, 140).kind = "reload";
  return batch;
}

}  // namespace

TEST_CASE("a batch is the run from its first position to behind its last entry") {
  const Batch batch = sample();
  const BatchView view = batch.view();
  CHECK(batch.size() == 4);
  CHECK(view.from == Position{10, 7});
  CHECK(view.to == Position{15, 140});
  CHECK(view.origin->host == "host");
  CHECK(view.events.size() == 2);
  CHECK(view.losses.size() == 1);
  CHECK(view.host_events.size() == 1);
}

TEST_CASE("slices cover a batch without gap or overlap") {
  const Batch batch = sample();
  for (std::size_t cut = 0; cut <= batch.size(); ++cut) {
    CAPTURE(cut);
    const BatchView front = batch.slice(0, cut);
    const BatchView back = batch.slice(cut, batch.size() - cut);
    CHECK(front.from == batch.from());
    if (cut < batch.size()) CHECK(front.to == back.from);
    CHECK(back.to == batch.to());
    CHECK(front.events.size() + back.events.size() == 2);
    CHECK(front.losses.size() + back.losses.size() == 1);
    CHECK(front.host_events.size() + back.host_events.size() == 1);
  }
  const BatchView third = batch.slice(2, 1);
  CHECK(third.from == Position{12, 110});
  CHECK(third.to == Position{14, 130});
  REQUIRE(third.events.size() == 1);
  CHECK(third.events[0].seq == 2);
  CHECK(third.losses.empty());
}

TEST_CASE("the last slice reaches to where the batch was extended to") {
  Batch batch = sample();
  batch.extend_to({20, 200});
  CHECK(batch.slice(3, 1).to == Position{20, 200});
  CHECK(batch.slice(2, 1).to == Position{14, 130});
  batch.begin({"host", "boot"}, {10, 7});
  batch.extend_to({12, 120});
  CHECK(batch.view().from == Position{10, 7});
  CHECK(batch.view().to == Position{12, 120});
}

TEST_CASE("the last entry can be taken out again, and a batch begun anew forgets everything") {
  Batch batch = sample();
  batch.drop_last();
  CHECK(batch.to() == Position{14, 130});
  CHECK(batch.view().host_events.empty());
  batch.drop_last();
  CHECK(batch.view().events.size() == 1);
  CHECK(batch.add_event(13, 131).seq == 0);
  batch.begin({"other", "boot"}, {30, 3});
  CHECK(batch.size() == 0);
  CHECK(batch.view().empty());
  CHECK(batch.view().from == batch.view().to);
}
