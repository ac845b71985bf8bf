// What `iptrackd check` has to say of the whitelist's rules beyond their grammar.
#ifndef IPTRACKD_APP_CHECK_WHITELIST_H
#define IPTRACKD_APP_CHECK_WHITELIST_H

#include <string>

#include "app/findings.h"
#include "config/config.h"

namespace iptrackd::app {

// Notes: a program that does not exist, that others than root can replace, that is a script, or an sshd whose
// connections another program handles.
void check_whitelist(const config::Whitelist &whitelist, Findings &findings);

// "2 network rules, 0 exec rules"
[[nodiscard]] std::string count_of(const config::Whitelist &whitelist);

}  // namespace iptrackd::app

#endif
