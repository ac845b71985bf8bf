// A service at a port that the caller chooses, and a client of it, in this process or as another program:
// what a whitelist tells apart.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "deeds.h"

namespace iptrackd::oracle {
namespace {

std::string address_of(const Options &options) {
  return options.text("address", options.family() == Family::ipv6 ? "::1" : "127.0.0.1");
}

Name name_at(const Options &options, const std::string &port) {
  const auto number = static_cast<std::uint16_t>(options.number(port, 0));
  return name_of(options.family(), address_of(options), number);
}

void be_client(const Options &options, Report &report, const Name &service) {
  Socket client{options.family(), options.proto()};
  if (!options.text("from", "").empty()) client.bind(report, name_at(options, "from"));
  client.connect(report, service);
  client.close(report);
}

// CLIENT takes the place of a child and reports itself.
void start_client(const Options &options, Report &report, const std::string &client, const Name &service) {
  std::vector<std::string> words{client, "service", "role=client", "address=" + address_of(options),
                                 "port=" + std::to_string(port_of(service))};
  for (const char *key : {"family", "proto", "from"}) {
    const std::string value = options.text(key, "");
    if (!value.empty()) words.push_back(std::string{key} + "=" + value);
  }
  std::vector<char *> arguments;
  for (std::string &word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  Child::becoming([&] { execv(client.c_str(), arguments.data()); }).wait(report);
}

void wait_until(const std::string &name) {
  std::ofstream{name + ".ready"}.flush();
  while (!std::filesystem::exists(name)) usleep(10'000);
}

}  // namespace

void service_deed(const Options &options, Report &report) {
  if (const std::string name = options.text("until", ""); !name.empty()) wait_until(name);
  if (options.is("role", "client")) return be_client(options, report, name_at(options, "port"));
  Socket server{options.family(), options.proto()};
  server.bind(report, name_at(options, "port"));
  if (options.proto() == Proto::tcp) server.listen();
  const Name service = server.local();
  if (const std::string client = options.text("client", ""); !client.empty()) {
    start_client(options, report, client, service);
  } else {
    be_client(options, report, service);
  }
  if (options.proto() == Proto::tcp) server.accept(report)->close(report);
  server.close(report);
}

}  // namespace iptrackd::oracle
