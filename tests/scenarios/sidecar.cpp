#include "sidecar.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace iptrackd::scenario {
namespace {

const std::string container_name = "sidecar";
const Words namespaces_of_host{"--pid=host", "--cgroupns=host"};
// As in docs/container.md.
const Words privileges{"--cap-drop=all", "--cap-add=sys_admin,sys_ptrace,bpf,perfmon",
                       "--security-opt=no-new-privileges", "--read-only"};

std::string text_of(const Path &file) {
  std::ifstream stream{file};
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::string mounted(const Path &what, const Path &where) {
  return "--volume=" + what.string() + ":" + where.string();
}

void make_tree(const Path &tree) {
  Launch launch;
  const Path script = settings().scripts / ".." / "packaging" / "container" / "image-tree.sh";
  launch.arguments = {script.string(), settings().daemon.parent_path().string(), tree.string()};
  const Ended ended = run(launch);
  if (ended.status != 0) throw std::runtime_error{"image-tree.sh: " + ended.err};
}

}  // namespace

Sidecar::Sidecar() : prepared_{prepare(directory_.path(), {"bpf: {keep-on-exit: true}\n"})} {
  apply_schema(prepared_);
  configure();
  const Path tree = directory_.path() / "tree";
  make_tree(tree);
  podman_ = std::make_unique<Podman>(tree, ".", Podman::Devices::limited);
  rows_ = open_rows(prepared_.connection, prepared_.jsonl);
}

Sidecar::~Sidecar() {
  // A container outlives the podman that started it, and podman cleans up behind it.
  if (podman_->kill(container_name) && process_) (void)process_->wait(std::chrono::seconds{20});
}

// The scenario's configuration is the site's part; the places of the container are its own, as the image has
// them.
void Sidecar::configure() {
  for (const char *name : {"run", "state", "site"}) std::filesystem::create_directory(volume(name));
  prepared_.jsonl = volume("state") / "rows.jsonl";
  write_file(volume("site") / "10-scenario.yml", text_of(prepared_.configuration));
  write_file(
      volume("site") / "20-places.yml",
      "pam: {fifo-file: /run/iptrackd/pam.fifo}\n"
      "control: {socket: /run/iptrackd/control.sock}\n"
      "spool: {directory: /var/lib/iptrackd/spool}\n" +
          std::string{prepared_.connection ? "" : "database: {filename: /var/lib/iptrackd/rows.jsonl}\n"} +
          "bpf: {keep-on-exit: true}\n");
}

Launch Sidecar::launch(const std::string &verb, const Words &namespaces) const {
  Words options = privileges;
  options.insert(options.end(), namespaces.begin(), namespaces.end());
  options.push_back(mounted(volume("run"), "/run/iptrackd"));
  options.push_back(mounted(volume("state"), "/var/lib/iptrackd"));
  options.push_back(mounted(volume("site"), "/etc/iptrackd.d"));
  options.push_back(mounted("/sys/fs/bpf", "/sys/fs/bpf"));
  // A server of the tests listens on a socket in a directory.
  if (prepared_.connection && prepared_.connection->at("host").starts_with("/")) {
    options.push_back(mounted(prepared_.connection->at("host"), prepared_.connection->at("host")));
  }
  return podman_->launch_confined(container_name, options,
                                  {"/usr/libexec/iptrackd-container", verb, "--config", "/etc/iptrackd.yml"});
}

void Sidecar::start() {
  process_ = std::make_unique<Process>(launch("run", namespaces_of_host));
  const bool settled = eventually(std::chrono::seconds{60}, [&] {
    return process_->err().find("ready") != std::string::npos || process_->wait(Milliseconds{0}).has_value();
  });
  if (!settled || process_->wait(Milliseconds{0})) {
    throw std::runtime_error{"the sidecar is not ready: " + process_->out() + process_->err()};
  }
}

void Sidecar::kill() {
  if (!podman_->kill(container_name) || !process_->wait(std::chrono::seconds{20}))
    throw std::runtime_error{"the sidecar survives: " + process_->err()};
  process_.reset();
}

Ended Sidecar::run_once(const std::string &verb, const Words &namespaces) const {
  return run(launch(verb, namespaces));
}

}  // namespace iptrackd::scenario
