// oracle DEED [KEY=VALUE...]: performs a deed and prints, as one line of JSON, every row that it must have
// left in the view iptrackd.activity, its own start included. Deeds and their words: deeds.h. `oracle self
// ...` does nothing further, whatever its arguments are.
#include <csignal>
#include <exception>
#include <map>

#include "deeds.h"

namespace {

using namespace iptrackd::oracle;

int perform(std::span<char *const> arguments) {
  const Moment began = now();
  std::signal(SIGPIPE, SIG_IGN);
  const std::map<std::string, void (*)(const Options &, Report &)> deeds{
      {"connect", connect_deed}, {"accept", accept_deed},     {"bind", bind_deed},
      {"close", close_deed},     {"exec", exec_deed},         {"all", all_deeds},
      {"small32", small32_deed}, {"disguise", disguise_deed}, {"race", race_deed},
      {"old", old_deed},         {"service", service_deed},
  };
  Report report;
  report.add(own_exec(began));
  const std::string name = arguments.size() > 1 ? arguments[1] : "self";
  if (const auto deed = deeds.find(name); deed != deeds.end()) {
    const Options options{arguments.subspan(2)};
    use_way(options.text("way", "system-call"), options.text("of", name));
    // A kernel without MPTCP is told from a failure here: a child of the deed could not say so.
    if (options.proto() == Proto::mptcp) Socket{Family::ipv4, Proto::mptcp};
    in_context(options, report, deed->second);
  }
  print(report);
  return 0;
}

}  // namespace

int main(int count, char **arguments) {
  try {
    return perform({arguments, static_cast<std::size_t>(count)});
  } catch (const std::exception &error) {
    std::fprintf(stderr, "oracle: %s\n", error.what());
    return 1;
  }
}
