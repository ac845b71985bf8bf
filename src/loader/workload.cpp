#include "loader/workload.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

namespace iptrackd::loader {
namespace {

using Name = std::optional<std::string>;

// One component of a path, and where it stands.
struct Place {
  std::string_view name;
  std::string_view parent, grandparent;  // empty at the root
  std::size_t depth = 0;                 // 0 is directly below the root
  bool below_slices = true;              // nothing but *.slice above the parent
  bool below_kubepods = false;
  std::size_t begin = 0, end = 0;  // in bytes of the path, the slash before it included
};

// Calls visit(Place), from the root to the leaf.
template <typename Visit>
void walk(std::string_view path, Visit visit) {
  Place place;
  while (place.end < path.size()) {
    place.begin = place.end;
    const std::size_t name = place.begin + (path[place.begin] == '/' ? 1 : 0);
    place.end = std::min(path.find('/', name), path.size());
    place.name = path.substr(name, place.end - name);
    visit(std::as_const(place));
    place.below_slices = place.below_slices && (place.depth == 0 || place.parent.ends_with(".slice"));
    place.below_kubepods = place.below_kubepods || place.name.starts_with("kubepods");
    place.grandparent = place.parent;
    place.parent = place.name;
    ++place.depth;
  }
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

// Letters, digits and OTHERS only.
bool consists_of(std::string_view text, std::string_view others) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || others.find(c) != std::string_view::npos;
  });
}

// What stands between PREFIX and SUFFIX; empty where TEXT is not of this form.
std::string_view between(std::string_view text, std::string_view prefix, std::string_view suffix) {
  const bool fits =
      text.size() > prefix.size() + suffix.size() && text.starts_with(prefix) && text.ends_with(suffix);
  return fits ? text.substr(prefix.size(), text.size() - prefix.size() - suffix.size()) : std::string_view{};
}

// Undoes systemd's escaping of unit names: \x2d is a hyphen.
std::string unescaped(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    unsigned char byte = 0;
    const bool escape = text.size() >= 4 && text.starts_with("\\x") &&
                        std::from_chars(text.data() + 2, text.data() + 4, byte, 16).ptr == text.data() + 4;
    plain.push_back(escape ? static_cast<char>(byte) : text.front());
    text.remove_prefix(escape ? 4 : 1);
  }
  return plain;
}

bool is_container_id(std::string_view text) {
  constexpr std::size_t id_size = 64;
  return text.size() == id_size &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

// A name that somebody chose, as LXC and systemd-machined take them.
Name chosen_name(std::string name) {
  if (!consists_of(name, "-_.:@")) return std::nullopt;
  return name;
}

Name id_in_name(std::string_view name) {
  if (const auto colon = name.rfind(":cri-containerd:"); colon != std::string_view::npos) {
    name.remove_prefix(colon + 1);
    name = name.substr(name.find(':') + 1);
    return is_container_id(name) ? Name{name} : std::nullopt;
  }
  if (name.ends_with(".scope")) name.remove_suffix(std::string_view{".scope"}.size());
  for (const char *prefix : {"docker-", "libpod-", "libpod-payload-", "cri-containerd-", "crio-"}) {
    if (const auto id = between(name, prefix, ""); is_container_id(id)) return Name{id};
  }
  return std::nullopt;
}

Name id_by_place(const Place &place) {
  if (!is_container_id(place.name)) return std::nullopt;
  const bool of_pod = place.below_kubepods && place.parent.starts_with("pod");
  const bool of_engine = place.parent == "docker" ||
                         (place.depth == 1 && (place.parent == "default" || place.parent == "k8s.io"));
  return of_pod || of_engine ? Name{place.name} : std::nullopt;
}

Name lxc_name(const Place &place) {
  if (const auto name = between(place.name, "lxc.payload.", ""); !name.empty())
    return chosen_name(std::string{name});
  const bool below = place.parent == "lxc.payload" || (place.depth == 1 && place.parent == "lxc");
  return below ? chosen_name(std::string{place.name}) : std::nullopt;
}

Name machine_name(const Place &place) {
  if (place.parent != "machine.slice") return std::nullopt;
  if (const auto name = between(place.name, "systemd-nspawn@", ".service"); !name.empty())
    return chosen_name(unescaped(name));
  const std::string name = unescaped(between(place.name, "machine-", ".scope"));
  return name.starts_with("qemu-") ? std::nullopt : chosen_name(name);
}

Name apptainer_name(const Place &place) {
  std::string_view pid = between(place.name, "apptainer-", ".scope");
  if (place.depth == 1 && place.parent == "apptainer") pid = place.name;
  return is_number(pid) ? Name{"apptainer-" + std::string{pid}} : std::nullopt;
}

Name container_at(const Place &place) {
  if (auto id = id_in_name(place.name)) return id;
  if (auto id = id_by_place(place)) return id;
  if (auto name = lxc_name(place)) return name;
  if (auto name = machine_name(place)) return name;
  return apptainer_name(place);
}

bool is_slurm_scope(std::string_view name) {
  return name == "slurmstepd.scope" || name.ends_with("_slurmstepd.scope");
}

Name slurm_job(const Place &place) {
  const auto id = between(place.name, "job_", "");
  if (id.empty() || !is_digit(id.front()) || id.find_first_not_of("0123456789_+") != std::string_view::npos)
    return std::nullopt;
  const bool version_2 = is_slurm_scope(place.parent) && place.below_slices;
  const bool version_1 = (place.depth == 1 && place.parent.starts_with("slurm")) ||
                         (place.depth == 2 && place.grandparent.starts_with("slurm") &&
                          is_number(between(place.parent, "uid_", "")));
  return version_1 || version_2 ? Name{id} : std::nullopt;
}

// "123.server", and of an array "123[4].server".
Name pbs_id(std::string id) {
  const std::size_t number = id.find_first_not_of("0123456789");
  const bool fits = number != 0 && number != std::string::npos && (id[number] == '.' || id[number] == '[') &&
                    id.find('.') != std::string::npos && consists_of(id, "-_.[]");
  return fits ? Name{std::move(id)} : std::nullopt;
}

Name pbs_job(const Place &place) {
  if (place.depth == 2 && !between(place.grandparent, "pbs", ".service").empty() &&
      (place.parent == "jobid" || place.parent == "jobs")) {
    return pbs_id(unescaped(place.name));
  }
  if (place.depth != 1) return std::nullopt;
  if (place.parent.starts_with("pbs") && place.parent.ends_with(".slice")) {
    const auto unit = place.parent.substr(0, place.parent.size() - std::string_view{".slice"}.size());
    return pbs_id(unescaped(between(place.name, std::string{unit} + "-", ".slice")));
  }
  const bool plain = place.parent == "torque" || place.parent == "pbspro" || place.parent == "pbs_jobs";
  return plain ? pbs_id(std::string{place.name}) : std::nullopt;
}

// "condor_var_lib_condor_execute_slot1_2@host": the directory of execution, its slashes made underscores,
// then the slot: a word that ends in a number, and below a partitionable slot a further number.
Name condor_slot(const Place &place) {
  if (place.depth == 0 || !place.name.starts_with("condor_")) return std::nullopt;
  const auto at = place.name.find('@');
  const std::string_view local = place.name.substr(0, at);
  std::size_t slot = local.rfind('_') + 1;
  if (is_number(local.substr(slot))) slot = local.substr(0, slot - 1).rfind('_') + 1;
  const std::string_view word = local.substr(slot, local.find('_', slot) - slot);
  const bool named = place.parent == "htcondor" || word.starts_with("slot");
  const bool fits = named && !word.empty() && !is_digit(word.front()) && is_digit(word.back()) &&
                    consists_of(place.name.substr(slot), "-_.@");
  return fits ? Name{place.name.substr(slot)} : std::nullopt;
}

// HTCondor of today gives the slot's own directory to the job's user. Its name is still root's: only who owns
// the directory above could have chosen it.
Name job_at(const Place &place, std::size_t trusted) {
  if (place.end <= trusted) {
    if (auto job = slurm_job(place)) return job;
    if (auto job = pbs_job(place)) return job;
  }
  return place.begin <= trusted ? condor_slot(place) : std::nullopt;
}

struct Found {
  Name container, job;
  bool delegated = false;
};

Found find(const ControlGroup &group) {
  Found found;
  walk(group.path, [&](const Place &place) {
    if (auto container = container_at(place)) {
      found.container = std::move(container);
      found.delegated = place.end > group.trusted;
    }
    // The root of a container may own what is below it.
    if (!found.job && !found.container) found.job = job_at(place, group.trusted);
  });
  return found;
}

}  // namespace

Workload workload_of(const ControlGroup &unified, const ControlGroup &version_1) {
  Found first = find(unified);
  Found second = find(version_1);
  const bool take_second = second.container && (!first.container || (first.delegated && !second.delegated));
  Found &chosen = take_second ? second : first;
  return {std::move(chosen.container), first.job ? std::move(first.job) : std::move(second.job),
          chosen.delegated};
}

}  // namespace iptrackd::loader
