// Which member has which tag. Encoder, decoder and tests walk the same tables, so that no member can be in
// one direction only. A tag is never given a second meaning; a new member gets the next one, at the end.
#ifndef IPTRACKD_SPOOL_FIELD_TABLES_H
#define IPTRACKD_SPOOL_FIELD_TABLES_H

#include "core/event.h"
#include "core/host_event.h"
#include "core/loss.h"
#include "spool/damage.h"

namespace iptrackd::spool {

// What a recovery looks for stands first, then who did it.
template <typename E, typename Visit>
void visit_event_head(E &event, Visit &visit) {
  visit(1, event.unix_us);
  visit(2, event.seq);
  visit(3, event.ring);
  visit(4, event.ring_position);
  visit(5, event.kind);
  visit(6, event.boot_ns);
  visit(7, event.environment);
  visit(8, event.marks);
  visit(9, event.result);
  visit(10, event.pid);
  visit(11, event.tid);
  visit(12, event.ppid);
  visit(13, event.sid);
  visit(14, event.uid);
  visit(15, event.gid);
  visit(16, event.euid);
  visit(17, event.egid);
  visit(18, event.loginuid);
  visit(19, event.audit_session);
  visit(20, event.tty);
}

// What was done, and with what.
template <typename E, typename Visit>
void visit_event_deed(E &event, Visit &visit) {
  visit(21, event.comm);
  visit(22, event.exe);
  visit(23, event.cwd);
  visit(24, event.cgroup);
  visit(25, event.container);
  visit(26, event.job);
  visit(27, event.args);
  visit(28, event.args_truncated);
  visit(29, event.exe_device);
  visit(30, event.exe_inode);
  visit(31, event.mount_namespace);
  visit(32, event.protocol);
  visit(33, event.local.address);
  visit(34, event.local.port);
  visit(35, event.remote.address);
  visit(36, event.remote.port);
  visit(37, event.duration_ns);
  visit(38, event.bytes_sent);
  visit(39, event.bytes_received);
  visit(40, event.opener_pid);
  visit(41, event.pam_service);
  visit(42, event.pam_user);
  visit(43, event.pam_ruser);
  visit(44, event.pam_rhost);
}

// E is Event or const Event. Tags rise.
template <typename E, typename Visit>
void visit_event(E &event, Visit &visit) {
  visit_event_head(event, visit);
  visit_event_deed(event, visit);
}

template <typename L, typename Visit>
void visit_loss(L &loss, Visit &visit) {
  visit(1, loss.from_unix_us);
  visit(2, loss.to_unix_us);
  visit(3, loss.stage);
  visit(4, loss.cause);
  visit(5, loss.kind);
  visit(6, loss.uid);
  visit(7, loss.count);
  visit(8, loss.counter);
}

// Behind the fields of the loss that books it: which records it means.
template <typename R, typename Visit>
void visit_range(R &range, Visit &visit) {
  visit(32, range.first);
  visit(33, range.count);
}

template <typename H, typename Visit>
void visit_host_event(H &event, Visit &visit) {
  visit(1, event.unix_us);
  visit(2, event.kind);
  visit(3, event.detail);
}

}  // namespace iptrackd::spool

#endif
