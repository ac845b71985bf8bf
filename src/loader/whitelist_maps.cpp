#include "loader/whitelist_maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <system_error>
#include <utility>
#include <vector>

#include "iptrackd.skel.h"

namespace iptrackd::loader {
namespace {

constexpr std::uint32_t only_key = 0;
constexpr std::uint32_t batch_size = 4096;

// struct whitelist_desk of bpf/maps.h.
struct Desk {
  iptrackd_network_question network;
  iptrackd_exec_question exec;
  iptrackd_program file;
  std::uint32_t verdict;
  std::uint32_t found;
};

Error map_error(const std::string &what, int code) {
  if (code == E2BIG || code == ENOSPC || code == ENOMEM)
    return {Fault::usage, "there are more rules than the kernel's maps hold"};
  return {Fault::environment, "cannot " + what + " the whitelist: " + std::generic_category().message(code)};
}

// Key by key: a batch would walk the whole map while the kernel runs no program on that CPU
// (bpf_disable_instrumentation), and the hooks would miss what happens meanwhile.
template <typename Key, typename Value>
Result<void> read_map(int map, std::map<Key, Value, BytewiseLess> &entries) {
  Key key{};
  for (const Key *previous = nullptr; bpf_map_get_next_key(map, previous, &key) == 0; previous = &key) {
    Value value{};
    if (bpf_map_lookup_elem(map, &key, &value) == 0) entries.emplace(key, value);
  }
  if (errno != ENOENT) return tl::unexpected{map_error("read", errno)};
  return {};
}

template <typename Key, typename Value>
Result<void> clear_map(int map, const std::map<Key, Value, BytewiseLess> &entries) {
  for (const auto &[key, value] : entries) {
    if (bpf_map_delete_elem(map, &key) != 0 && errno != ENOENT) {
      return tl::unexpected{map_error("clear", errno)};
    }
  }
  return {};
}

template <typename Key, typename Value>
Result<void> write_map(int map, const std::map<Key, Value, BytewiseLess> &entries) {
  std::vector<Key> keys;
  std::vector<Value> values;
  const auto flush = [&]() -> Result<void> {
    auto count = static_cast<std::uint32_t>(keys.size());
    if (count == 0) return {};
    if (bpf_map_update_batch(map, keys.data(), values.data(), &count, nullptr) != 0) {
      return tl::unexpected{map_error("write", errno)};
    }
    keys.clear();
    values.clear();
    return {};
  };
  for (const auto &[key, value] : entries) {
    keys.push_back(key);
    values.push_back(value);
    if (keys.size() < batch_size) continue;
    if (auto flushed = flush(); !flushed) return flushed;
  }
  return flush();
}

// Runs PROGRAM once, in this thread, with ARGUMENT as its first.
int run_program(int program, std::uint64_t argument) {
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.ctx_in = &argument;
  options.ctx_size_in = sizeof(argument);
  return bpf_prog_test_run_opts(program, &options);
}

// A second name for a pin, which takes the first's place in one instant.
Result<void> name_anew(const std::string &pin, const std::string &name) {
  const std::string next = name + "_next";
  unlink(next.c_str());
  if (link(pin.c_str(), next.c_str()) != 0) return fail_errno("cannot make " + next);
  if (rename(next.c_str(), name.c_str()) != 0) return fail_errno("cannot make " + name);
  unlink(next.c_str());  // where both name one map already, rename() leaves them
  return {};
}

}  // namespace

WhitelistMaps::WhitelistMaps(const iptrackd_bpf &skeleton, std::string pins, std::string set)
    : sides_{Side{bpf_map__fd(skeleton.maps.whitelist_programs_even),
                  bpf_map__fd(skeleton.maps.whitelist_network_even),
                  bpf_map__fd(skeleton.maps.whitelist_exec_even)},
             Side{bpf_map__fd(skeleton.maps.whitelist_programs_odd),
                  bpf_map__fd(skeleton.maps.whitelist_network_odd),
                  bpf_map__fd(skeleton.maps.whitelist_exec_odd)}},
      turn_{bpf_map__fd(skeleton.maps.whitelist_turn)},
      desk_{bpf_map__fd(skeleton.maps.whitelist_desk)},
      processes_{bpf_map__fd(skeleton.maps.processes)},
      identify_{bpf_program__fd(skeleton.progs.whitelist_identify)},
      judge_{bpf_program__fd(skeleton.progs.whitelist_judge)},
      pins_{std::move(pins)},
      set_{std::move(set)} {}

Result<std::uint64_t> WhitelistMaps::turn() const {
  std::uint64_t turn = 0;
  if (bpf_map_lookup_elem(turn_, &only_key, &turn) == 0) return turn;
  return fail_errno("cannot tell which side of the whitelist is in force");
}

Result<WhitelistContent> WhitelistMaps::read(std::uint64_t side) const {
  WhitelistContent content;
  const Side &maps = sides_.at(side & 1U);
  if (auto done = read_map(maps.programs, content.programs); !done) return tl::unexpected{done.error()};
  if (auto done = read_map(maps.network, content.network); !done) return tl::unexpected{done.error()};
  if (auto done = read_map(maps.exec, content.exec); !done) return tl::unexpected{done.error()};
  return content;
}

// What a side held must be gone before the new rules are written, which may be as many as the maps can hold.
Result<void> WhitelistMaps::write(std::uint64_t side, const WhitelistContent &before,
                                  const WhitelistContent &content) const {
  const Side &maps = sides_.at(side & 1U);
  if (auto done = clear_map(maps.programs, before.programs); !done) return done;
  if (auto done = clear_map(maps.network, before.network); !done) return done;
  if (auto done = clear_map(maps.exec, before.exec); !done) return done;
  if (auto done = write_map(maps.network, content.network); !done) return done;
  if (auto done = write_map(maps.exec, content.exec); !done) return done;
  return write_map(maps.programs, content.programs);
}

Result<WhitelistContent> WhitelistMaps::in_force() const {
  const auto now = turn();
  if (!now) return tl::unexpected{now.error()};
  return read(*now);
}

Result<WhitelistContent> WhitelistMaps::spare() const {
  const auto now = turn();
  if (!now) return tl::unexpected{now.error()};
  return read(*now + 1);
}

Result<void> WhitelistMaps::exchange(const WhitelistContent &spare, const WhitelistContent &content) {
  const auto now = turn();
  if (!now) return tl::unexpected{now.error()};
  const std::uint64_t next = *now + 1;
  if (auto written = write(next, spare, content); !written) return written;
  if (bpf_map_update_elem(turn_, &only_key, &next, BPF_ANY) != 0) {
    return fail_errno("cannot put the whitelist in force");
  }
  return {};
}

Result<void> WhitelistMaps::publish() const {
  const auto now = turn();
  if (!now) return tl::unexpected{now.error()};
  if (pins_.empty()) return {};
  for (const std::string name : {"whitelist_programs", "whitelist_network", "whitelist_exec"}) {
    const std::string pin = set_ + "map_" + name + ((*now & 1U) != 0 ? "_odd" : "_even");
    if (auto named = name_anew(pin, pins_ + "/" + name); !named) return named;
  }
  return {};
}

Result<iptrackd_program> WhitelistMaps::identify(int fd) const {
  Desk desk{};
  const std::uint64_t argument = static_cast<std::uint32_t>(fd);
  if (run_program(identify_, argument) != 0 || bpf_map_lookup_elem(desk_, &only_key, &desk) != 0) {
    return fail_errno("cannot examine a file");
  }
  if (desk.found == 0) return fail(Fault::environment, "the kernel does not know the file");
  return desk.file;
}

Result<std::uint32_t> WhitelistMaps::ask(std::uint64_t kind, const void *question, std::size_t offset,
                                         std::size_t size) const {
  Desk desk{};
  std::memcpy(reinterpret_cast<char *>(&desk) + offset, question, size);
  if (bpf_map_update_elem(desk_, &only_key, &desk, BPF_ANY) != 0 || run_program(judge_, kind) != 0 ||
      bpf_map_lookup_elem(desk_, &only_key, &desk) != 0) {
    return fail_errno("cannot ask the kernel");
  }
  if (desk.found == 0) return fail(Fault::environment, "the kernel has no room to judge now");
  return desk.verdict;
}

Result<std::uint32_t> WhitelistMaps::judge(const iptrackd_network_question &question) const {
  return ask(question.kind, &question, offsetof(Desk, network), sizeof(question));
}

Result<std::uint32_t> WhitelistMaps::judge(const iptrackd_exec_question &question) const {
  return ask(IPTRACKD_KIND_EXEC, &question, offsetof(Desk, exec), sizeof(question));
}

ProgramFiles WhitelistMaps::running(const ProgramFiles &files) const {
  // struct process of bpf/maps.h: the program stands behind the first number.
  constexpr std::size_t program_at = 8;
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  ProgramFiles found;
  if (bpf_obj_get_info_by_fd(processes_, &info, &size) != 0) return files;
  std::vector<char> process(info.value_size);
  std::uint32_t tgid = 0;
  for (const void *previous = nullptr; bpf_map_get_next_key(processes_, previous, &tgid) == 0;
       previous = &tgid) {
    if (bpf_map_lookup_elem(processes_, &tgid, process.data()) != 0) continue;
    iptrackd_program program{};
    std::memcpy(&program, process.data() + program_at, sizeof(program));
    if (files.contains(program)) found.insert(program);
  }
  return found;
}

}  // namespace iptrackd::loader
