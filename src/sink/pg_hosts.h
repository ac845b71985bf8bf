// The servers that a set of connection keywords names, one by one.
//
// libpq can try several by itself, but without blocking it stays with the first one that accepts a connection
// and then says nothing, for ever. Tried one by one, each has its own time.
#ifndef IPTRACKD_SINK_PG_HOSTS_H
#define IPTRACKD_SINK_PG_HOSTS_H

#include <map>
#include <string>
#include <vector>

namespace iptrackd::sink {

using PgKeywords = std::map<std::string, std::string>;

// In their order; each as KEYWORDS with one host, hostaddr and port. Where the lists do not match, KEYWORDS
// as they are: libpq has words for that.
[[nodiscard]] std::vector<PgKeywords> each_server(const PgKeywords &keywords);

// KEYWORDS with what the daemon adds: what the user set stands, except for the encoding, which escape.h
// relies on.
[[nodiscard]] PgKeywords with_defaults(PgKeywords keywords);

}  // namespace iptrackd::sink

#endif
