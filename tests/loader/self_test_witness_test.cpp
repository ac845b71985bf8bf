#include "loader/self_test_witness.h"

#include <doctest/doctest.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "iptrackd/wire.h"

namespace iptrackd::loader {
namespace {

std::span<const std::byte> bytes_of(const iptrackd_event &event) {
  return std::as_bytes(std::span{&event, 1});
}

iptrackd_event event_of(__u8 kind, __u8 protocol, __s32 result, __u32 flags = IPTRACKD_FLAG_SELF_TEST) {
  iptrackd_event event{};
  event.kind = kind;
  event.protocol = protocol;
  event.result = result;
  event.flags = flags;
  return event;
}

bool misses(const SelfTestWitness &witness, std::string_view name) {
  const auto missing = witness.missing({});
  return std::find(missing.begin(), missing.end(), name) != missing.end();
}

}  // namespace

TEST_CASE("the witness notes what belongs to the self-test, and nothing else") {
  SelfTestWitness witness;
  const auto others = event_of(IPTRACKD_KIND_BIND, IPPROTO_UDP, 0, IPTRACKD_FLAG_RESULT);
  CHECK_FALSE(witness.note(bytes_of(others)));
  CHECK(misses(witness, "UDP bind"));
  CHECK(witness.note(bytes_of(event_of(IPTRACKD_KIND_BIND, IPPROTO_UDP, 0))));
  CHECK_FALSE(misses(witness, "UDP bind"));
  CHECK(misses(witness, "TCP bind"));
}

TEST_CASE("an exec and a failed one are different signs") {
  SelfTestWitness witness;
  CHECK(witness.note(bytes_of(event_of(IPTRACKD_KIND_EXEC, 0, -2))));
  CHECK(misses(witness, "exec"));
  CHECK_FALSE(misses(witness, "failed exec"));
}

TEST_CASE("what failed is no sign that the deed was seen to succeed") {
  SelfTestWitness witness;
  CHECK(witness.note(bytes_of(event_of(IPTRACKD_KIND_CONNECT, IPPROTO_TCP, -111))));
  CHECK(misses(witness, "TCP connect"));
}

TEST_CASE("only what is wanted can be missing") {
  Probes probes;
  probes.udp_bind = false;
  const SelfTestWitness witness;
  const auto missing = witness.missing(probes);
  CHECK(std::find(missing.begin(), missing.end(), "UDP bind") == missing.end());
  CHECK(missing.size() == 8);
}

TEST_CASE("what came through io_uring is known by its port, and is no sign of a system call") {
  SelfTestWitness witness;
  auto accept =
      event_of(IPTRACKD_KIND_ACCEPT, IPPROTO_TCP, 0, IPTRACKD_FLAG_SELF_TEST | IPTRACKD_FLAG_IO_URING);
  accept.local_port = 40000;
  accept.remote_port = 50000;
  CHECK(witness.note(bytes_of(accept)));
  CHECK(witness.saw(Way::accept, 40000));
  CHECK_FALSE(witness.saw(Way::accept, 50000));
  CHECK_FALSE(witness.saw(Way::bind, 40000));
  CHECK(misses(witness, "accept"));
  witness.forget();
  CHECK_FALSE(witness.saw(Way::accept, 40000));
}

TEST_CASE("a connect through io_uring is known by the port that it goes to, and by whether it failed") {
  SelfTestWitness witness;
  auto connect =
      event_of(IPTRACKD_KIND_CONNECT, IPPROTO_TCP, -101, IPTRACKD_FLAG_SELF_TEST | IPTRACKD_FLAG_IO_URING);
  connect.remote_port = 9;
  CHECK(witness.note(bytes_of(connect)));
  CHECK(witness.saw(Way::refused_tcp_connect, 9));
  CHECK_FALSE(witness.saw(Way::tcp_connect, 9));
  CHECK_FALSE(witness.saw(Way::udp_connect, 9));
}

TEST_CASE("more signs than anybody makes are no harm") {
  SelfTestWitness witness;
  auto bind = event_of(IPTRACKD_KIND_BIND, IPPROTO_TCP, 0, IPTRACKD_FLAG_SELF_TEST | IPTRACKD_FLAG_IO_URING);
  for (int port = 1; port <= 1000; ++port) {
    bind.local_port = static_cast<__u16>(port);
    CHECK(witness.note(bytes_of(bind)));
  }
  CHECK(witness.saw(Way::bind, 1));
  CHECK_FALSE(witness.saw(Way::bind, 1000));
}

TEST_CASE("a record that is too short is nobody's") {
  SelfTestWitness witness;
  const std::array<std::byte, 8> bytes{};
  CHECK_FALSE(witness.note(bytes));
}

TEST_CASE("forgotten is not seen") {
  SelfTestWitness witness;
  CHECK(witness.note(bytes_of(event_of(IPTRACKD_KIND_CLOSE, IPPROTO_TCP, 0))));
  witness.forget();
  CHECK(misses(witness, "TCP close"));
}

}  // namespace iptrackd::loader
