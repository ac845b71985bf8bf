// Event: one deed, as every room sees it. The decoder and the PAM parser make events; pool and sink carry
// them.
//
// Each field that can be unknown says so (std::optional, Text, ArgList): unknown is never 0 or "".
// An Event is reused by the pool: reset() forgets the values and keeps the memory.
// Not thread-safe; an event belongs to one stage at a time.
#ifndef IPTRACKD_CORE_EVENT_H
#define IPTRACKD_CORE_EVENT_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace iptrackd {

enum class Kind : std::uint8_t { exec, connect, accept, bind, close, auth, open_session, close_session };
inline constexpr std::size_t kind_count = 8;

// The word that stands in the database's `kind` column and in the metrics' label.
[[nodiscard]] std::string_view kind_name(Kind kind) noexcept;

enum class Protocol : std::uint8_t { tcp, udp };
[[nodiscard]] std::string_view protocol_name(Protocol protocol) noexcept;

// Remarks on a row, as bits of Event::marks; the names stand in the `marks` column.
enum class Mark : std::uint32_t {
  deleted = 1U << 0,         // the executable's file has no name any more
  memfd = 1U << 1,           // the executable lives in a memfd
  io_uring = 1U << 2,        // asked for through io_uring
  preexisting = 1U << 3,     // the socket is older than the daemon's programs
  redacted = 1U << 4,        // a secret in the arguments was replaced
  unvouched = 1U << 5,       // a PAM record that the kernel side did not witness
  untrusted = 1U << 6,       // a field could only be read from the program's own memory
  path_truncated = 1U << 7,  // a path was too deep; its first components are missing
  delegated =
      1U << 8,  // the container's id stands in a control group that root does not own: it may be forged
  by_kernel = 1U << 9,  // a close that the kernel did on its own; who did it is then who opened the socket
  rebuilt = 1U << 10,   // a PAM record that did not arrive; told from the callback's environment
};
inline constexpr std::size_t mark_count = 11;
[[nodiscard]] std::string_view mark_name(Mark mark) noexcept;

// Bytes that may be unknown. Any byte may occur, NUL and invalid UTF-8 included: the sink escapes.
class Text {
 public:
  [[nodiscard]] bool known() const noexcept { return known_; }
  [[nodiscard]] std::string_view view() const noexcept { return bytes_; }
  void assign(std::string_view bytes) {
    bytes_.assign(bytes);
    known_ = true;
  }
  // For building in place: known, empty, capacity kept.
  [[nodiscard]] std::string &edit() {
    known_ = true;
    return bytes_;
  }
  void reset() noexcept {
    bytes_.clear();
    known_ = false;
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return bytes_.capacity(); }
  void shrink() { bytes_.shrink_to_fit(); }

 private:
  std::string bytes_;
  bool known_ = false;
};

// argv: each argument followed by a NUL, as the kernel keeps it. Arguments cannot hold a NUL themselves.
class ArgList {
 public:
  [[nodiscard]] bool known() const noexcept { return text_.known(); }
  [[nodiscard]] std::string_view bytes() const noexcept { return text_.view(); }
  // BYTES is argv as above; a missing last NUL is added.
  void assign(std::string_view bytes);
  void reset() noexcept { text_.reset(); }
  [[nodiscard]] std::size_t count() const noexcept;
  [[nodiscard]] std::size_t capacity() const noexcept { return text_.capacity(); }
  void shrink() { text_.shrink(); }

  // Calls visit(std::string_view) for each argument, argv[0] first.
  template <typename Visit>
  void for_each(Visit visit) const {
    std::string_view rest = text_.view();
    while (!rest.empty()) {
      const auto end = rest.find('\0');
      visit(rest.substr(0, end));
      rest.remove_prefix(end + 1);
    }
  }

 private:
  Text text_;
};

struct Address {
  enum class Family : std::uint8_t { ipv4, ipv6 };
  Family family = Family::ipv4;
  std::array<std::uint8_t, 16> bytes{};  // network order; IPv4 uses the first four

  [[nodiscard]] std::string to_string() const;
  // Numeric IPv4 or IPv6, an IPv6 zone ("%eth0") ignored; v4-mapped becomes IPv4. nullopt: not an address.
  [[nodiscard]] static std::optional<Address> parse(std::string_view text);
  // 4 or 16 bytes in network order; v4-mapped becomes IPv4.
  [[nodiscard]] static Address from_v4(const std::uint8_t *bytes) noexcept;
  [[nodiscard]] static Address from_v6(const std::uint8_t *bytes) noexcept;

  friend bool operator==(const Address &, const Address &) = default;
};

struct Endpoint {
  std::optional<Address> address;
  std::optional<std::uint16_t> port;  // host order
};

struct Event {
  Kind kind = Kind::exec;
  std::uint64_t boot_ns = 0;  // CLOCK_BOOTTIME in ns when it happened; orders events
  std::int64_t unix_us = 0;   // the same instant in UTC, microseconds since 1970
  std::uint64_t seq = 0;      // given by the pool: strictly rising within a boot, ordered by time

  std::optional<std::int32_t> result;               // 0 or a negative errno
  std::optional<std::int32_t> pid, tid, ppid, sid;  // as the host's pid namespace has them; pid is the tgid
  std::optional<std::uint32_t> uid, gid, euid, egid;
  std::optional<std::uint32_t> loginuid, audit_session;
  Text tty;  // "pts/3", "tty1"
  Text comm;
  Text exe;  // path in the task's mount namespace, chroot undone
  Text cwd;
  Text cgroup;
  Text container;  // its id or name, as the control group's path has it
  Text job;        // the batch system's, likewise; known only where root made that part of the path
  ArgList args;
  std::optional<bool> args_truncated;
  std::optional<std::uint32_t> exe_device;  // the kernel's number: major << 20 | minor
  std::optional<std::uint64_t> exe_inode;
  std::optional<std::uint64_t> mount_namespace;  // inode number of the namespace

  std::optional<Protocol> protocol;
  Endpoint local, remote;
  std::optional<std::uint64_t> duration_ns;  // close: of the socket's use; connect: of the attempt
  std::optional<std::uint64_t> bytes_sent, bytes_received;
  std::optional<std::int32_t> opener_pid;

  Text pam_service, pam_user, pam_ruser, pam_rhost;
  std::uint32_t marks = 0;  // Mark bits

  // Of a PAM record that its callback left in a file: which one; 0: none. FifoReader gives these out.
  std::uint64_t leftover = 0;
  // Of an exec of the PAM callback by root: its environment, as bytes() of an ArgList. Not for the database.
  ArgList environment;
  // Where the kernel side put it: the ring's map id, unique within a boot (0: it came another way), and the
  // position right behind it there. A reader that starts again knows by this what the spool holds already.
  std::uint32_t ring = 0;
  std::uint64_t ring_position = 0;

  void set(Mark mark) noexcept { marks |= static_cast<std::uint32_t>(mark); }
  [[nodiscard]] bool has(Mark mark) const noexcept { return (marks & static_cast<std::uint32_t>(mark)) != 0; }

  // Forgets every value; keeps buffers of ordinary size for the next event.
  void reset() noexcept;
  // Memory that this event holds, in bytes.
  [[nodiscard]] std::size_t footprint() const noexcept;
};

}  // namespace iptrackd

#endif
