#include "loader/drift.h"

#include <doctest/doctest.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/fd.h"
#include "loader/btf_builder.h"

using iptrackd::Fd;
using iptrackd::loader::compare_needs;
using iptrackd::loader::compare_types;
using iptrackd::loader::Fit;
using iptrackd::loader::KernelTypes;
using iptrackd::loader::NeedFit;
using iptrackd::loader::Programs;
using iptrackd::loader::Types;

namespace {

// What is said of the need NAME, which must be of the kind WANTED.
std::string said(const std::vector<NeedFit> &fits, const std::string &name, Fit wanted) {
  const auto fit =
      std::find_if(fits.begin(), fits.end(), [&](const auto &other) { return other.name == name; });
  CAPTURE(name);
  REQUIRE(fit != fits.end());
  CAPTURE(fit->words);
  CHECK(fit->fit == wanted);
  return fit->words;
}

std::vector<NeedFit> compared(const Programs &programs, const Types &kernel) {
  auto fits = compare_needs(programs.get(), programs.section(), kernel.get());
  REQUIRE_MESSAGE(fits, (fits ? "" : fits.error().message()));
  return std::move(*fits);
}

// struct task { u32 flags; u64 start; void *mm; u8 comm[16]; } as the programs know it, every field of it
// read.
Programs programs_of_task() {
  Programs programs;
  const int mm = programs.structure("mm", 8, {});
  const int task = programs.structure("task", 40,
                                      {{"flags", programs.integer(4), 0},
                                       {"start", programs.integer(8), 64},
                                       {"mm", programs.pointer(mm), 128},
                                       {"comm", programs.array(programs.integer(1), 16), 192}});
  for (const auto *path : {"0:0", "0:1", "0:2", "0:3"}) programs.relocate(task, path);
  return programs;
}

KernelTypes as_kernel(const Types &types) {
  const Fd file{memfd_create("btf", MFD_CLOEXEC)};
  std::uint32_t size = 0;
  const void *bytes = btf__raw_data(&types.get(), &size);
  REQUIRE(write(file.get(), bytes, size) == size);
  auto loaded = KernelTypes::load("/proc/self/fd/" + std::to_string(file.get()));
  REQUIRE(loaded);
  return std::move(*loaded);
}

}  // namespace

TEST_CASE("the kernel that the programs were built with") {
  const auto programs = programs_of_task();
  const auto fits = compared(programs, programs);
  CHECK(fits.size() == 4);
  CHECK(said(fits, "struct task.flags", Fit::there) == "offset 0; an integer of 4 bytes");
  CHECK(said(fits, "struct task.start", Fit::there) == "offset 8; an integer of 8 bytes");
  CHECK(said(fits, "struct task.mm", Fit::there) == "offset 16; a pointer of 8 bytes to mm");
  CHECK(said(fits, "struct task.comm", Fit::there) == "offset 24; an array of 16 bytes");
}

TEST_CASE("fields that have moved, changed, or gone are found by name") {
  Types kernel;
  kernel.structure("task", 40,
                   {{"start", kernel.integer(8), 0},
                    {"flags", kernel.integer(8), 64},
                    {"mm", kernel.pointer(kernel.structure("maps", 8, {})), 128}});
  const auto fits = compared(programs_of_task(), kernel);
  CHECK(said(fits, "struct task.start", Fit::moved) == "offset 0, was 8; an integer of 8 bytes");
  CHECK(said(fits, "struct task.flags", Fit::changed) ==
        "an integer of 8 bytes; the programs take it for an integer of 4 bytes");
  CHECK(said(fits, "struct task.mm", Fit::changed) ==
        "a pointer of 8 bytes to maps; the programs take it for a pointer of 8 bytes to mm");
  CHECK(said(fits, "struct task.comm", Fit::missing) == "struct task has none in this kernel");
}

TEST_CASE("a field of another kind, an array of another length, a struct that is not there") {
  Types kernel;
  const int structure = kernel.structure("start", 8, {});
  kernel.structure("task", 40,
                   {{"flags", kernel.pointer(structure), 0},
                    {"start", structure, 64},
                    {"mm", kernel.integer(8), 128},
                    {"comm", kernel.array(kernel.integer(1), 32), 192}});
  const auto fits = compared(programs_of_task(), kernel);
  CHECK(said(fits, "struct task.flags", Fit::changed) ==
        "a pointer of 8 bytes to start; the programs take it for an integer of 4 bytes");
  CHECK(said(fits, "struct task.start", Fit::changed) ==
        "a struct of 8 bytes; the programs take it for an integer of 8 bytes");
  CHECK(said(fits, "struct task.mm", Fit::changed) ==
        "an integer of 8 bytes; the programs take it for a pointer of 8 bytes to mm");
  CHECK(said(fits, "struct task.comm", Fit::changed) ==
        "an array of 32 bytes; the programs take it for an array of 16 bytes");
  Types other;
  other.one_of("task", 8, {{"flags", other.integer(4), 0}});
  other.type_def("task", other.integer(4));
  CHECK(said(compared(programs_of_task(), other), "struct task.flags", Fit::missing) ==
        "this kernel has no struct task");
}

TEST_CASE("unnamed structs and unions come and go; nested fields and elements are followed") {
  Programs programs;
  const int id = programs.structure("id", 4, {{"val", programs.integer(4), 0}});
  const int numbers = programs.array(programs.structure("upid", 16, {{"nr", programs.integer(4), 32}}), 4);
  const int unnamed =
      programs.structure("", 72, {{"uid", programs.type_def("kuid_t", id), 0}, {"pids", numbers, 64}});
  const int cred = programs.structure("cred", 80, {{"", unnamed, 64}});
  programs.relocate(cred, "0:0:0:0");
  programs.relocate(cred, "0:0:1:3:0");
  CHECK(said(compared(programs, programs), "struct cred.uid.val", Fit::there) ==
        "offset 8; an integer of 4 bytes");

  Types kernel;
  const int kernel_id = kernel.structure("kuid", 4, {{"val", kernel.integer(4), 0}});
  const int inner = kernel.one_of("", 4, {{"gid", kernel_id, 0}, {"uid", kernel_id, 0}});
  const int outer = kernel.structure("", 8, {{"", inner, 32}});
  const int upid = kernel.structure("upid", 8, {{"nr", kernel.integer(4), 0}});
  kernel.structure("cred", 64, {{"", outer, 64}, {"pids", kernel.array(upid, 0), 128}});
  const auto fits = compared(programs, kernel);
  CHECK(said(fits, "struct cred.uid.val", Fit::moved) == "offset 12, was 8; an integer of 4 bytes");
  CHECK(said(fits, "struct cred.pids[3].nr", Fit::moved) == "offset 40, was 68; an integer of 4 bytes");

  Types smaller;
  const int pids = smaller.array(smaller.structure("upid", 16, {{"nr", smaller.integer(4), 32}}), 3);
  smaller.structure("cred", 80, {{"pids", pids, 128}});
  CHECK(said(compared(programs, smaller), "struct cred.pids[3].nr", Fit::missing) ==
        "struct cred has none in this kernel");
}

TEST_CASE("what the programs ask for may be missing") {
  Programs programs;
  const int id = programs.structure("kuid", 4, {{"val", programs.integer(4), 0}});
  const int task = programs.structure(
      "task", 16, {{"loginuid", id, 0}, {"loginuid2", id, 32}, {"session", programs.integer(4), 64}});
  programs.relocate(task, "0:0", BPF_CORE_FIELD_EXISTS);
  for (const auto *path : {"0:0:0", "0:1:0", "0:2"}) programs.relocate(task, path);
  programs.relocate(task, "0:2", BPF_CORE_FIELD_EXISTS);
  Types kernel;
  kernel.structure("task", 16, {{"session", kernel.pointer(0), 0}});
  auto fits = compared(programs, kernel);
  CHECK(said(fits, "struct task.loginuid", Fit::provided_for) ==
        "struct task has none in this kernel, which the programs provide for");
  said(fits, "struct task.loginuid.val", Fit::provided_for);
  said(fits, "struct task.loginuid2.val", Fit::missing);
  // To CO-RE a field of another kind is not the field.
  said(fits, "struct task.session", Fit::provided_for);

  Types wider;
  wider.structure("task", 16, {{"session", wider.integer(8), 0}});
  said(compared(programs, wider), "struct task.session", Fit::changed);
}

TEST_CASE("of two flavors one will do, and at any offset") {
  Programs programs;
  const int before = programs.structure("node___before", 8, {{"parent", programs.pointer(0), 0}});
  const int since = programs.structure("node___since", 8, {{"__parent", programs.pointer(0), 0}});
  programs.relocate(since, "0:0", BPF_CORE_FIELD_EXISTS);
  programs.relocate(since, "0:0");
  programs.relocate(before, "0:0");
  Types new_kernel;
  new_kernel.structure("node", 16, {{"__parent", new_kernel.pointer(0), 64}});
  auto fits = compared(programs, new_kernel);
  CHECK(fits.size() == 2);
  CHECK(said(fits, "struct node.__parent", Fit::there) == "offset 8; a pointer of 8 bytes");
  CHECK(said(fits, "struct node.parent", Fit::provided_for) ==
        "struct node has none in this kernel, where struct node.__parent stands in for it");
  Types old_kernel;
  old_kernel.structure("node", 16, {{"parent", old_kernel.pointer(0), 64}});
  fits = compared(programs, old_kernel);
  said(fits, "struct node.__parent", Fit::provided_for);
  said(fits, "struct node.parent", Fit::there);
  Types neither;
  neither.structure("node", 16, {});
  fits = compared(programs, neither);
  said(fits, "struct node.__parent", Fit::provided_for);
  said(fits, "struct node.parent", Fit::missing);
}

TEST_CASE("a flavor that is read without being asked for excuses no other") {
  Programs programs;
  programs.relocate(programs.structure("node___before", 8, {{"parent", programs.pointer(0), 0}}), "0:0");
  programs.relocate(programs.structure("node___since", 8, {{"__parent", programs.pointer(0), 0}}), "0:0");
  Types kernel;
  kernel.structure("node", 16, {{"__parent", kernel.pointer(0), 64}});
  said(compared(programs, kernel), "struct node.parent", Fit::missing);
}

TEST_CASE("bit fields, and fields whose size the programs take as they find it") {
  Programs programs;
  const int sock =
      programs.structure("sock", 8, {{"kern", programs.integer(1), 3, 1}, {"type", programs.integer(2), 16}});
  programs.relocate(sock, "0:0");
  programs.relocate(sock, "0:0", BPF_CORE_FIELD_LSHIFT_U64);
  programs.relocate(sock, "0:1");
  Types kernel;
  kernel.structure("sock", 8, {{"kern", kernel.integer(4), 33, 1}, {"type", kernel.integer(4), 8, 16}});
  auto fits = compared(programs, kernel);
  CHECK(said(fits, "struct sock.kern", Fit::moved) == "offset 4.1, was 0.3; a bit field of 1 bit");
  CHECK(said(fits, "struct sock.type", Fit::changed) ==
        "a bit field of 16 bits; the programs take it for an integer of 2 bytes");
  Types plain;
  plain.structure("sock", 8, {{"kern", plain.integer(1), 0}, {"type", plain.integer(2), 16}});
  said(compared(programs, plain), "struct sock.kern", Fit::moved);
}

TEST_CASE("enumerators and types") {
  Programs programs;
  const int state = programs.enumeration("state", {{"OPEN", 0}, {"SHUT", 1}, {"GONE", 2}});
  for (const auto *path : {"0", "1", "2"}) programs.relocate(state, path, BPF_CORE_ENUMVAL_VALUE);
  const int big = programs.enumeration64("big", "HUGE", 1ULL << 40);
  programs.relocate(big, "0", BPF_CORE_ENUMVAL_VALUE);
  programs.relocate(programs.structure("box", 8, {}), "0", BPF_CORE_TYPE_SIZE);
  programs.relocate(programs.structure("rare", 8, {}), "0", BPF_CORE_TYPE_EXISTS);
  programs.relocate(programs.structure("own", 8, {}), "0", BPF_CORE_TYPE_ID_LOCAL);
  Types kernel;
  kernel.enumeration("state", {{"OPEN", 0}, {"GONE___x", -1}});
  kernel.enumeration64("big", "HUGE", 1ULL << 41);
  kernel.structure("box", 16, {});
  const auto fits = compared(programs, kernel);
  CHECK(fits.size() == 6);
  CHECK(said(fits, "enum state.OPEN", Fit::there) == "value 0");
  CHECK(said(fits, "enum state.GONE", Fit::moved) == "value -1, was 2");
  CHECK(said(fits, "enum state.SHUT", Fit::missing) == "enum state has none in this kernel");
  CHECK(said(fits, "enum big.HUGE", Fit::moved) == "value 2199023255552, was 1099511627776");
  CHECK(said(fits, "struct box", Fit::there) == "offset 0; a struct of 16 bytes");
  said(fits, "struct rare", Fit::provided_for);
}

TEST_CASE("structs of the same name") {
  const auto programs = programs_of_task();
  Types kernel;
  kernel.structure("task", 4, {{"flags", kernel.pointer(0), 0}});
  kernel.structure("task", 8, {{"flags", kernel.integer(4), 32}});
  said(compared(programs, kernel), "struct task.flags", Fit::moved);
  kernel.structure("task", 8, {{"flags", kernel.integer(4), 32}});
  said(compared(programs, kernel), "struct task.flags", Fit::moved);
  kernel.structure("task", 8, {{"flags", kernel.integer(4), 0}});
  CHECK(said(compared(programs, kernel), "struct task.flags", Fit::changed) ==
        "several of this name, at different offsets");
}

TEST_CASE("a kernel's types that lead nowhere or in circles") {
  Types kernel;
  const int next = static_cast<int>(btf__type_cnt(&kernel.get()));
  kernel.type_def("round", next + 1);
  kernel.type_def("and_round", next);
  const int inside_itself = next + 2;
  kernel.structure("task", 16,
                   {{"", inside_itself, 0}, {"flags", next, 0}, {"start", 12345, 0}, {"mm", 0, 0}});
  const auto fits = compared(programs_of_task(), kernel);
  for (const NeedFit &fit : fits) CHECK(is_failure(fit.fit));
  CHECK_FALSE(as_kernel(kernel).function("task"));
}

TEST_CASE("malformed relocations") {
  const auto programs = programs_of_task();
  const auto whole = programs.section();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(compare_needs(programs.get(), std::span{whole}.first(size), programs.get()));
  }
  const auto with_word = [&](std::size_t word, std::uint32_t value) {
    auto bytes = whole;
    std::memcpy(bytes.data() + word * 4, &value, 4);
    return compare_needs(programs.get(), bytes, programs.get()).has_value();
  };
  CHECK(with_word(9, 7));
  for (const std::uint32_t value : {0U, 3U, 1000U, 0xffffffffU}) {
    CAPTURE(value);
    CHECK_FALSE(with_word(0, value));       // magic
    CHECK_FALSE(with_word(1, value));       // size of the header
    CHECK_FALSE(with_word(8, value));       // size of a record
    CHECK_FALSE(with_word(10, value | 1));  // records
  }
  for (const auto *path : {"", ":", "0:", "0:9", "0:0:0", "x", "0:-1", "0:99999999999"}) {
    CAPTURE(path);
    auto broken = programs_of_task();
    broken.relocate(1, path);
    CHECK_FALSE(compare_needs(broken.get(), broken.section(), broken.get()));
  }
}

TEST_CASE("the programs of this build against a kernel of next to nothing") {
  Types kernel;
  const int task = kernel.structure("task_struct", 8, {{"pid", kernel.integer(4), 32}});
  const int arguments = kernel.pointer(task);
  kernel.type_def("btf_trace_sched_process_free",
                  kernel.pointer(kernel.prototype(0, {kernel.pointer(0), arguments})));
  kernel.function("inet_release", kernel.prototype(kernel.integer(4), {arguments}));
  const auto drift = compare_types(as_kernel(kernel));
  REQUIRE_MESSAGE(drift, (drift ? "" : drift.error().message()));
  CHECK(drift->needs.size() > 50);
  said(drift->needs, "struct task_struct.pid", Fit::moved);
  CHECK(said(drift->needs, "struct task_struct.mm", Fit::missing) ==
        "struct task_struct has none in this kernel");
  said(drift->needs, "struct task_struct.loginuid.val", Fit::provided_for);
  CHECK(said(drift->needs, "struct sock.sk_protocol", Fit::missing) == "this kernel has no struct sock");

  for (const auto &hook : drift->hooks) {
    CAPTURE(hook.target);
    if (hook.target == "tp_btf/sched_process_free") CHECK_FALSE(hook.misfit);
    if (hook.target == "tp_btf/sched_process_exec") {
      CHECK(hook.misfit == "this kernel has no tracepoint sched_process_exec");
    }
    if (hook.target == "fentry/inet_release") {
      CHECK(hook.misfit == "inet_release is u4 (struct task_struct *) here, not int (struct socket *)");
    }
  }
  for (const auto &duty : drift->duties) {
    CAPTURE(duty.name);
    // No types tell of the hooks that work by system calls' tracepoints and control groups.
    CHECK(duty.works() == duty.has_mechanisms);
    CHECK(duty.fentry_obstacle);
  }
}

TEST_CASE("a duty takes any of a role's hooks") {
  Types kernel;
  const int socket = kernel.pointer(kernel.structure("socket", 8, {}));
  const int sock = kernel.pointer(kernel.structure("sock", 8, {}));
  const auto obstacle = [&] {
    const auto drift = compare_types(as_kernel(kernel));
    REQUIRE(drift);
    const auto &duties = drift->duties;
    const auto accept =
        std::find_if(duties.begin(), duties.end(), [](const auto &duty) { return duty.name == "accept"; });
    REQUIRE(accept != duties.end());
    CHECK(accept->works());
    CHECK_FALSE(accept->tracepoint_obstacle);
    return accept->fentry_obstacle;
  };
  CHECK(obstacle() == "accepted: this kernel has no function __inet_accept");
  kernel.function("__inet_accept", kernel.prototype(0, {socket, socket, sock}));
  CHECK_FALSE(obstacle());
}
