#include "sink/rejects.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "sink/fake_source.h"
#include "sink/samples.h"

using namespace iptrackd;

namespace {

struct Directory {
  Directory() : path{std::filesystem::temp_directory_path() / ("rejects." + test::random_uuid())} {
    std::filesystem::create_directory(path);
  }
  ~Directory() { std::filesystem::remove_all(path); }
  Directory(const Directory &) = delete;
  Directory &operator=(const Directory &) = delete;
  std::filesystem::path path;
};

Result<void> append(const sink::Rejects &rejects, const Event &event, const std::string &reason) {
  return rejects.append({&test::sample_origin, {}, {1, 1}, {&event, 1}, {}, {}}, {Fault::rejected, reason});
}

std::string read(const std::filesystem::path &path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace

TEST_CASE("a line tells when, why and what; the file is private") {
  const Directory directory;
  const auto path = directory.path / "rejects.jsonl";
  const sink::Rejects rejects{path};
  REQUIRE(append(rejects, test::full_event(), "no \"\xff\n").has_value());
  const auto row = nlohmann::json::parse(read(path));
  CHECK(row["reason"] == "no \"\\xff\n");
  CHECK(row["entry"]["comm"] == "curl");
  CHECK(row["time"].get<std::string>().size() == 27);
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
}

TEST_CASE("a full file makes room, and holds whole lines") {
  const Directory directory;
  const auto path = directory.path / "rejects.jsonl";
  const sink::Rejects rejects{path, 4000};
  for (std::uint64_t seq = 1; seq <= 30; ++seq)
    REQUIRE(append(rejects, test::bare_event(seq), "r").has_value());
  CHECK(std::filesystem::file_size(path) <= 4000);
  CHECK(std::filesystem::file_size(path.string() + ".1") <= 4000);
  const std::string text = read(path);
  const auto last = nlohmann::json::parse(text.substr(text.rfind('\n', text.size() - 2) + 1));
  CHECK(last["entry"]["seq"] == 30);
}

TEST_CASE("what is no file of ours is refused") {
  const Directory directory;
  std::filesystem::create_symlink("/etc/passwd", directory.path / "link");
  CHECK(!append(sink::Rejects{directory.path / "link"}, test::bare_event(1), "r").has_value());
  REQUIRE(mkfifo((directory.path / "fifo").c_str(), 0600) == 0);
  CHECK(!append(sink::Rejects{directory.path / "fifo"}, test::bare_event(1), "r").has_value());
  CHECK(!append(sink::Rejects{directory.path}, test::bare_event(1), "r").has_value());
}
