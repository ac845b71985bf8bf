#include <doctest/doctest.h>

#include "config/support.h"

using namespace iptrackd::config;
using iptrackd::config::test::error_of;
using iptrackd::config::test::loaded;

namespace {
Probes none() {
  Probes probes;
  probes.tcp_connect = probes.tcp_accept = probes.tcp_bind = probes.tcp_close = false;
  probes.udp_connect = probes.udp_bind = probes.udp_close = false;
  return probes;
}
}  // namespace

TEST_CASE("what is left out is told by its keys") {
  CHECK(left_out(Probes{}).empty());
  CHECK(left_out(loaded("probes: {udp-bind: false, compat-calls: false}").probes) == "udp-bind");
  CHECK(left_out(loaded("probes: {exec: false}").probes) == "exec");
  CHECK(left_out(loaded("probes: 0x24").probes) ==
        "tcp-connect, tcp-accept, tcp-bind, udp-connect, udp-bind");
}

TEST_CASE("each probe is switched by its own key") {
  const auto without = [](const std::string &key) { return loaded("probes: {" + key + ": false}").probes; };
  Probes all;
  CHECK((all.exec = false, without("exec") == all));
  all = {};
  CHECK((all.tcp_connect = false, without("tcp-connect") == all));
  all = {};
  CHECK((all.tcp_accept = false, without("tcp-accept") == all));
  all = {};
  CHECK((all.tcp_bind = false, without("tcp-bind") == all));
  all = {};
  CHECK((all.tcp_close = false, without("tcp-close") == all));
  all = {};
  CHECK((all.udp_connect = false, without("udp-connect") == all));
  all = {};
  CHECK((all.udp_bind = false, without("udp-bind") == all));
  all = {};
  CHECK((all.udp_close = false, without("udp-close") == all));
}

TEST_CASE("the calls of 32-bit programs are asked for") {
  CHECK_FALSE(Probes{}.compat_calls);
  CHECK(loaded("probes: {compat-calls: true}").probes.compat_calls);
}

TEST_CASE("the seed's mask sets the network probes and leaves exec on") {
  CHECK(loaded("probes: 0xffff").probes == Probes{});
  CHECK(loaded("probes: 63").probes == Probes{});
  CHECK(loaded("probes: 0").probes == none());
  auto probes = none();
  CHECK((probes.tcp_connect = true, loaded("probes: 0x1").probes == probes));
  probes = none();
  CHECK((probes.tcp_accept = true, loaded("probes: 2").probes == probes));
  probes = none();
  CHECK((probes.tcp_close = true, loaded("probes: 4").probes == probes));
  probes = none();
  CHECK((probes.udp_connect = true, loaded("probes: 8").probes == probes));
  probes = none();
  CHECK((probes.tcp_bind = probes.udp_bind = true, loaded("probes: 16").probes == probes));
  probes = none();
  CHECK((probes.udp_close = true, loaded("probes: 0x20").probes == probes));
}

TEST_CASE("the mechanism and the bound on arguments") {
  CHECK(loaded("probes: {mechanism: fentry}").probes.mechanism == Mechanism::fentry);
  CHECK(loaded("probes: {mechanism: tracepoint}").probes.mechanism == Mechanism::tracepoint);
  CHECK(loaded("probes: {mechanism: auto}").probes.mechanism == Mechanism::automatic);
  CHECK(error_of("probes: {mechanism: kprobe}") ==
        "c.yml:1:21: probes.mechanism is 'kprobe'; write auto, fentry or tracepoint");
  CHECK(loaded("probes: {args-max-bytes: 100}").probes.args_max_bytes == 100);
  CHECK(loaded("probes: {args-max-bytes: 39936}").probes.args_max_bytes == 39936);
  for (const auto *wrong : {"99", "39937", "-1", "4294967396", "4k"}) {
    CAPTURE(wrong);
    CHECK(error_of(std::string{"probes: {args-max-bytes: "} + wrong + "}").find("from 100 to 39936") !=
          std::string::npos);
  }
}

TEST_CASE("probes that would watch nothing are refused") {
  CHECK(error_of("log: {}\nprobes: {exec: false, tcp-connect: false, tcp-accept: false, tcp-bind: false, "
                 "tcp-close: false,\n"
                 "  udp-connect: false, udp-bind: false, udp-close: false}") ==
        "c.yml:2:1: probes are all false; leave at least one true");
  CHECK(error_of("probes: 0x10000") ==
        "c.yml:1:9: probes is '0x10000'; write a mapping of probes, or a mask from 0 to 0xffff");
  CHECK(error_of("probes: all").find("a mask from 0") != std::string::npos);
  CHECK(error_of("probes: [exec]") ==
        "c.yml:1:9: probes is not a mapping; write its keys below it, indented");
}
