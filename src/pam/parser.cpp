#include "pam/parser.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

namespace iptrackd::pam {
namespace {

using Header = iptrackd_pam_header;
using Fields = std::array<std::optional<std::string_view>, IPTRACKD_PAM_FIELD_COUNT>;

constexpr std::int64_t ns_per_us = 1000;

std::optional<Kind> kind_of(std::uint8_t type) {
  switch (type) {
    case IPTRACKD_PAM_AUTH:
      return Kind::auth;
    case IPTRACKD_PAM_OPEN_SESSION:
      return Kind::open_session;
    case IPTRACKD_PAM_CLOSE_SESSION:
      return Kind::close_session;
    default:
      return std::nullopt;
  }
}

// Takes one length-prefixed field off the front of REST; false when it does not hold it.
bool take_field(std::string_view &rest, std::optional<std::string_view> &field) {
  std::uint16_t length = 0;
  if (rest.size() < sizeof(length)) return false;
  std::memcpy(&length, rest.data(), sizeof(length));
  rest.remove_prefix(sizeof(length));
  if (length == IPTRACKD_PAM_UNKNOWN_LENGTH) return true;
  if (rest.size() < length) return false;
  field = rest.substr(0, length);
  rest.remove_prefix(length);
  return true;
}

bool take_fields(std::string_view rest, Fields &fields) {
  return std::all_of(fields.begin(), fields.end(), [&](auto &field) { return take_field(rest, field); }) &&
         rest.empty();
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::string_view take_word(std::string_view &rest) {
  const auto word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  return word;
}

std::optional<Endpoint> take_endpoint(std::string_view &rest) {
  const Endpoint endpoint{Address::parse(take_word(rest)), parse_port(take_word(rest))};
  if (!endpoint.address || !endpoint.port) return std::nullopt;
  return endpoint;
}

// "client port server port". All or nothing: of a line that is wrong in one place no other place is believed.
bool set_connection(std::string_view text, Event &event) {
  if (std::count(text.begin(), text.end(), ' ') != 3) return false;
  const auto client = take_endpoint(text);
  const auto server = take_endpoint(text);
  if (!client || !server) return false;
  event.remote = *client;
  event.local = *server;
  event.protocol = Protocol::tcp;
  return true;
}

void set_addresses(const Fields &fields, Event &event) {
  const auto &connection = fields[IPTRACKD_PAM_FIELD_CONNECTION];
  if (connection && set_connection(*connection, event)) return;
  // sshd hands a name or a number on; a name is not looked up, it stays in pam_rhost only.
  if (const auto &rhost = fields[IPTRACKD_PAM_FIELD_RHOST]) event.remote.address = Address::parse(*rhost);
}

// Empty is what PAM modules set when they know nothing.
void set_text(Text &text, const std::optional<std::string_view> &field) {
  if (field && !field->empty()) text.assign(*field);
}

void set_texts(const Fields &fields, Event &event) {
  // An empty user name is what the client sent, and worth a row.
  if (const auto &user = fields[IPTRACKD_PAM_FIELD_USER]) event.pam_user.assign(*user);
  set_text(event.pam_ruser, fields[IPTRACKD_PAM_FIELD_RUSER]);
  set_text(event.pam_rhost, fields[IPTRACKD_PAM_FIELD_RHOST]);
  set_text(event.pam_service, fields[IPTRACKD_PAM_FIELD_SERVICE]);
  auto tty = fields[IPTRACKD_PAM_FIELD_TTY];
  constexpr std::string_view directory = "/dev/";  // login sets a path, events carry names
  if (tty && tty->substr(0, directory.size()) == directory) tty->remove_prefix(directory.size());
  set_text(event.tty, tty);
}

std::optional<std::int32_t> process_id(std::int32_t id) {
  return id > 0 ? std::optional{id} : std::nullopt;  // 0: outside the callback's pid namespace
}

std::optional<std::uint32_t> user_id(std::uint32_t id) {
  return id != IPTRACKD_PAM_UNKNOWN_ID ? std::optional{id} : std::nullopt;
}

void set_ids(const Header &header, Event &event) {
  event.pid = event.tid = process_id(header.pid);
  event.ppid = process_id(header.ppid);
  event.sid = process_id(header.sid);
  event.uid = user_id(header.uid);
  event.gid = user_id(header.gid);
  event.euid = user_id(header.euid);
  event.egid = user_id(header.egid);
  event.loginuid = user_id(header.loginuid);
  event.audit_session = user_id(header.audit_session);
}

void set_times(const Header &header, const Moment &now, Event &event) {
  const bool this_boot = std::equal(now.boot_id.begin(), now.boot_id.end(), header.boot_id);
  event.boot_ns = this_boot ? std::min(header.boot_ns, now.boot_ns) : now.boot_ns;
  event.unix_us = header.real_ns > 0 ? header.real_ns / ns_per_us : now.unix_us;
  if (!this_boot) event.set(Mark::preexisting);
}

// The variables are those that the callback reads (callback/record.c); as there, the first of a name counts.
std::optional<std::string_view> find_variable(const ArgList &environment, std::string_view name) {
  std::optional<std::string_view> value;
  environment.for_each([&](std::string_view variable) {
    const bool is_it =
        variable.substr(0, name.size()) == name && variable.substr(name.size()).starts_with('=');
    if (is_it && !value) value = variable.substr(name.size() + 1);
  });
  return value;
}

Fields fields_of(const ArgList &environment) {
  constexpr std::pair<std::size_t, std::string_view> variables[] = {
      {IPTRACKD_PAM_FIELD_USER, "PAM_USER"},   {IPTRACKD_PAM_FIELD_RUSER, "PAM_RUSER"},
      {IPTRACKD_PAM_FIELD_RHOST, "PAM_RHOST"}, {IPTRACKD_PAM_FIELD_SERVICE, "PAM_SERVICE"},
      {IPTRACKD_PAM_FIELD_TTY, "PAM_TTY"},     {IPTRACKD_PAM_FIELD_CONNECTION, "SSH_CONNECTION"},
  };
  Fields fields;
  for (const auto &[index, name] : variables) fields.at(index) = find_variable(environment, name);
  return fields;
}

std::optional<Kind> kind_of(const ArgList &environment) {
  const auto type = find_variable(environment, "PAM_TYPE").value_or("");
  for (const Kind kind : {Kind::auth, Kind::open_session, Kind::close_session}) {
    if (type == kind_name(kind)) return kind;
  }
  return std::nullopt;
}

}  // namespace

bool rebuild_record(const Event &exec, Event &event) {
  const auto kind = kind_of(exec.environment);
  if (!kind) return false;
  event.kind = *kind;
  if (*kind != Kind::auth) event.result = 0;
  event.boot_ns = exec.boot_ns;
  event.unix_us = exec.unix_us;
  event.pid = event.tid = exec.pid;
  event.ppid = exec.ppid;
  event.sid = exec.sid;
  event.uid = exec.uid;
  event.gid = exec.gid;
  event.euid = exec.euid;
  event.egid = exec.egid;
  event.loginuid = exec.loginuid;
  event.audit_session = exec.audit_session;
  event.set(Mark::rebuilt);
  const Fields fields = fields_of(exec.environment);
  set_texts(fields, event);
  set_addresses(fields, event);
  return true;
}

bool parse_record(Bytes record, const Moment &now, Event &event) {
  Header header;
  if (record.size() < sizeof(header)) return false;
  std::memcpy(&header, record.data(), sizeof(header));
  const auto kind = kind_of(header.type);
  if (header.version != IPTRACKD_PAM_VERSION || header.size != record.size() || !kind) return false;

  const Bytes tail = record.subspan(sizeof(header));
  // Bytes are looked at as characters; nothing about them is assumed.
  const std::string_view text{reinterpret_cast<const char *>(tail.data()), tail.size()};
  Fields fields;
  if (!take_fields(text, fields)) return false;

  event.kind = *kind;
  if (*kind != Kind::auth) event.result = 0;
  set_ids(header, event);
  set_times(header, now, event);
  set_texts(fields, event);
  set_addresses(fields, event);
  return true;
}

}  // namespace iptrackd::pam
