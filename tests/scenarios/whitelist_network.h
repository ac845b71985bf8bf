// A network of its own for an oracle, where every port is free and more addresses than the loopback ones are
// this host's.
#ifndef IPTRACKD_TESTS_SCENARIOS_WHITELIST_NETWORK_H
#define IPTRACKD_TESTS_SCENARIOS_WHITELIST_NETWORK_H

namespace iptrackd::scenario {

// For Launch::prepare: ends the process where it fails. All of 10.0.0.0/8 and 127.0.0.0/8, ::1, and
// 2001:db8::1 are there; everybody may bind any port.
void enter_own_network();

}  // namespace iptrackd::scenario

#endif
