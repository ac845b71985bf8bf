#include "sink/copy_encoder.h"

#include <array>
#include <cstddef>
#include <optional>

#include "sink/copy_fields.h"

namespace iptrackd::sink {
namespace {

constexpr std::string_view signature{
    "PGCOPY\n\377\r\n\0"
    "\0\0\0\0"
    "\0\0\0\0",
    19};
constexpr std::string_view trailer{"\377\377", 2};

std::optional<std::int32_t> port_of(const Endpoint &endpoint) {
  if (!endpoint.port) return std::nullopt;
  return *endpoint.port;
}

// The kernel's number: major << 20 | minor. Shown as `ls -l` and `lsblk` show devices.
std::string device_name(std::uint32_t device) {
  return std::to_string(device >> 20) + ':' + std::to_string(device & 0xfffffU);
}

void append_identity(CopyFields &row, const Event &event) {
  for (const auto &id : {event.pid, event.tid, event.ppid, event.sid}) row.int4(id);
  row.text(event.tty);
  for (const auto &id : {event.uid, event.gid, event.euid, event.egid, event.loginuid, event.audit_session}) {
    row.int8(id);
  }
  row.text(event.comm);
}

void append_program(CopyFields &row, const Event &event) {
  row.text(event.exe);
  row.text_array(event.args);
  row.boolean(event.args_truncated);
  row.text(event.cwd);
  if (event.exe_device) {
    row.text(device_name(*event.exe_device));
  } else {
    row.null();
  }
  row.int8(event.exe_inode);
  row.int8(event.mount_namespace);
  row.text(event.cgroup);
  row.text(event.container);
  row.text(event.job);
}

void append_network(CopyFields &row, const Event &event) {
  if (event.protocol) {
    row.text(protocol_name(*event.protocol));
  } else {
    row.null();
  }
  row.inet(event.local.address);
  row.int4(port_of(event.local));
  row.inet(event.remote.address);
  row.int4(port_of(event.remote));
  row.interval(event.duration_ns);
  row.int8(event.bytes_sent);
  row.int8(event.bytes_received);
  row.int4(event.opener_pid);
}

}  // namespace

std::string_view event_columns() noexcept {
  return "ts,seq,boot,kind,result,"
         "pid,tid,ppid,sid,tty,uid,gid,euid,egid,loginuid,audit_session,comm,"
         "exe,args,args_truncated,cwd,exe_dev,exe_inode,mnt_ns,cgroup,container,job,"
         "proto,local_addr,local_port,remote_addr,remote_port,duration,bytes_sent,bytes_received,opener_pid,"
         "pam_service,pam_user,pam_ruser,pam_rhost,marks";
}

std::string_view loss_columns() noexcept {
  return "from_ts,to_ts,host,stage,kind,cause,uid,count,spool";
}

std::string_view host_event_columns() noexcept {
  return "ts,host,boot_id,kind,detail,spool";
}

CopyEncoder::CopyEncoder() : out_{signature} {}

void CopyEncoder::append_event(const Event &event, std::int32_t boot) {
  CopyFields row{out_};
  row.timestamptz(event.unix_us);
  row.int8(event.seq);
  row.int4(boot);
  row.text(kind_name(event.kind));
  row.int4(event.result);
  append_identity(row, event);
  append_program(row, event);
  append_network(row, event);
  for (const Text *text : {&event.pam_service, &event.pam_user, &event.pam_ruser, &event.pam_rhost}) {
    row.text(*text);
  }
  row.marks(event.marks);
}

void CopyEncoder::append_loss(const Loss &loss, const Origin &origin, std::string_view spool) {
  CopyFields row{out_};
  row.timestamptz(loss.from_unix_us);
  row.timestamptz(loss.to_unix_us);
  row.text(origin.host);
  row.text(loss.stage);
  if (loss.kind) {
    row.text(kind_name(*loss.kind));
  } else {
    row.null();
  }
  row.text(loss.cause);
  row.int8(loss.uid);
  row.int8(loss.count);
  row.uuid(spool);
}

void CopyEncoder::append_host_event(const HostEvent &event, const Origin &origin, std::string_view spool) {
  CopyFields row{out_};
  row.timestamptz(event.unix_us);
  row.text(origin.host);
  row.uuid(origin.boot_id);
  row.text(event.kind);
  if (event.detail.empty()) {
    row.null();
  } else {
    row.text(event.detail);
  }
  row.uuid(spool);
}

void CopyEncoder::finish() {
  out_ += trailer;
}

}  // namespace iptrackd::sink
