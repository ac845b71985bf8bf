#include <algorithm>
#include <array>

#include "config/fill.h"
#include "config/values.h"

namespace iptrackd::config {
namespace {

// What a libpq keyword holds. libpq itself checks only when it connects, and then without a line number.
enum class Form : std::uint8_t { text, integer, ports, choice };

struct Keyword {
  std::string_view name;
  Form form = Form::text;
  std::string_view choices = {};  // separated by one space
};

constexpr std::string_view yes_no = "0 1";
constexpr std::string_view negotiation = "disable prefer require";
constexpr std::string_view tls_versions = "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3";

// The connection keywords of libpq 15, https://www.postgresql.org/docs/15/libpq-connect.html. A static list,
// because libpq belongs to the sink's room.
constexpr std::array keywords{
    Keyword{"service"},
    Keyword{"user"},
    Keyword{"password"},
    Keyword{"passfile"},
    Keyword{"channel_binding", Form::choice, negotiation},
    Keyword{"connect_timeout", Form::integer},
    Keyword{"dbname"},
    Keyword{"host"},
    Keyword{"hostaddr"},
    Keyword{"port", Form::ports},
    Keyword{"client_encoding"},
    Keyword{"options"},
    Keyword{"application_name"},
    Keyword{"fallback_application_name"},
    Keyword{"keepalives", Form::choice, yes_no},
    Keyword{"keepalives_idle", Form::integer},
    Keyword{"keepalives_interval", Form::integer},
    Keyword{"keepalives_count", Form::integer},
    Keyword{"tcp_user_timeout", Form::integer},
    Keyword{"sslmode", Form::choice, "disable allow prefer require verify-ca verify-full"},
    Keyword{"sslcompression", Form::choice, yes_no},
    Keyword{"sslcert"},
    Keyword{"sslkey"},
    Keyword{"sslpassword"},
    Keyword{"sslrootcert"},
    Keyword{"sslcrl"},
    Keyword{"sslcrldir"},
    Keyword{"sslsni", Form::choice, yes_no},
    Keyword{"requirepeer"},
    Keyword{"ssl_min_protocol_version", Form::choice, tls_versions},
    Keyword{"ssl_max_protocol_version", Form::choice, tls_versions},
    Keyword{"gssencmode", Form::choice, negotiation},
    Keyword{"krbsrvname"},
    Keyword{"gsslib"},
    Keyword{"replication"},
    Keyword{"target_session_attrs", Form::choice, "any read-write read-only primary standby prefer-standby"},
};

// Calls check for each piece between separators; true when all are.
template <typename Check>
bool all_pieces(std::string_view text, char separator, Check check) {
  for (;;) {
    const auto end = text.find(separator);
    if (!check(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

// One port a host; an empty piece is the default port.
bool is_ports(std::string_view text) {
  return all_pieces(text, ',', [](std::string_view piece) {
    const auto port = parse_integer(piece);
    return piece.empty() || (port && *port >= 1 && *port <= 65535);
  });
}

bool is_choice(std::string_view text, std::string_view choices) {
  return !all_pieces(choices, ' ', [&](std::string_view choice) { return choice != text; });
}

// What would be right where TEXT is not of the keyword's form; empty where it is.
std::string wrong_form(const Keyword &keyword, std::string_view text) {
  switch (keyword.form) {
    case Form::text:
      break;
    case Form::integer:
      if (!parse_integer(text)) return "write a whole number";
      break;
    case Form::ports:
      if (!is_ports(text)) return "write a port from 1 to 65535, or one for each host with commas in between";
      break;
    case Form::choice:
      if (!is_choice(text, keyword.choices)) return "write one of: " + std::string{keyword.choices};
      break;
  }
  return {};
}

void fill_connection(Section &section, std::map<std::string, std::string> &connection) {
  for (const auto &keyword : keywords) {
    std::string value;
    section.text(keyword.name, value);
    if (value.empty()) continue;
    if (const auto right = wrong_form(keyword, value); !right.empty()) {
      section.complain(section.at({keyword.name}),
                       section.name(keyword.name) + " is " + in_quotes(value) + "; " + right);
      continue;
    }
    connection.emplace(keyword.name, std::move(value));
  }
}

void check_connection(Section &section, const std::map<std::string, std::string> &connection) {
  if (connection.contains("password") && connection.contains("passfile"))
    section.complain(section.at({"passfile"}),
                     "database has both password and passfile; keep one, better passfile");
  // libpq would take it apart, and a password in it would escape the check of the file's mode.
  const auto dbname = connection.find("dbname");
  if (dbname != connection.end() &&
      (dbname->second.find('=') != std::string::npos || dbname->second.find("://") != std::string::npos))
    section.complain(section.at({"dbname"}),
                     "database.dbname is a connection string; write its parts as keys of their own");
}

// The name stands in SQL text of the daemon and of users; names that need quoting make traps for the latter.
bool is_schema_name(std::string_view name) {
  constexpr std::size_t longest = 63;  // NAMEDATALEN - 1
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && name.size() <= longest && std::all_of(name.begin(), name.end(), allowed) &&
         !(name.front() >= '0' && name.front() <= '9') && !name.starts_with("pg_");
}

void fill_schema(Section &section, std::string &schema) {
  std::string name = schema;
  section.text("schema", name);
  if (!is_schema_name(name))
    return section.complain(
        section.at({"schema"}),
        section.name("schema") + " is " + in_quotes(name) +
            "; write at most 63 lower-case letters, digits and _, not beginning with a digit or pg_");
  schema = std::move(name);
}

void fill_batch(Section section, Batch &batch) {
  constexpr std::int64_t kib = 1 << 10;
  section.integer("rows", batch.rows, 1, 1'000'000);
  section.size("bytes", batch.bytes, 64 * kib, 256 << 20);
  section.integer("linger-ms", batch.linger, 1, 60'000);
}

void fill_filename(Section &section, Driver driver, std::string &filename) {
  const TreeNode *given = section.take("filename");
  if (given != nullptr && given->type == TreeNode::Type::scalar && given->scalar == "-") {
    filename = "-";
  } else {
    section.absolute_path("filename", filename);
  }
  // Connection keywords beside the driver jsonl are no error: a drop-in that switches the driver for a trial
  // cannot remove them. A filename without the driver is a forgotten driver-name.
  if (driver == Driver::postgresql && given != nullptr)
    section.complain(section.at({"filename"}),
                     "database.filename is for the driver jsonl; add 'driver-name: jsonl', or remove it");
  if (driver == Driver::jsonl && given == nullptr)
    section.complain(section.at({"driver-name"}),
                     "the driver jsonl has no file; add 'filename: /path', or \"-\" for stdout");
}

}  // namespace

void fill_database(Section section, Database &database) {
  section.choice<Driver>("driver-name", database.driver,
                         {{"postgresql", Driver::postgresql}, {"jsonl", Driver::jsonl}});
  fill_schema(section, database.schema);
  fill_batch(section.section("batch"), database.batch);
  fill_filename(section, database.driver, database.filename);
  fill_connection(section, database.connection);
  check_connection(section, database.connection);
}

}  // namespace iptrackd::config
