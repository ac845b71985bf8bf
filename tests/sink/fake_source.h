// FakeSource: a spool in memory, as the writer sees it. Entries are numbered like the spool's; a token is a
// mark of the entry and of who recorded it, so that two sources that went their own ways differ.
#ifndef IPTRACKD_TESTS_SINK_FAKE_SOURCE_H
#define IPTRACKD_TESTS_SINK_FAKE_SOURCE_H

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "core/batch_source.h"

namespace iptrackd::test {

class FakeSource final : public BatchSource {
 public:
  using Entry = std::variant<Event, Loss, HostEvent>;

  explicit FakeSource(Origin origin);
  // A clone: the same identity and history.
  FakeSource(const FakeSource &other);
  FakeSource &operator=(const FakeSource &) = delete;

  // Thread-safe.
  void add(const Entry &entry);
  void end();
  // Entries before INDEX are not held any more.
  void forget_before(std::uint64_t index);
  // The machine has another name: all entries are of it.
  void rename(const Origin &origin) { origin_ = origin; }
  // From now on tokens are others.
  void diverge() { salt_ += 7; }
  // A damaged entry.
  void add_gap();
  [[nodiscard]] std::uint64_t size() const;

  [[nodiscard]] std::string id() const override { return id_; }
  [[nodiscard]] Position acknowledged() const override;
  [[nodiscard]] Position first() const override;
  [[nodiscard]] Lineage lineage(Position position) const override;
  [[nodiscard]] Result<void> fork() override;
  [[nodiscard]] Result<Read> read(Position from, const BatchLimits &limits, Batch &batch,
                                  const std::stop_token &stop) override;
  void acknowledge(Position position) override;

  int forks = 0;
  std::vector<Position> acknowledgements;

 private:
  struct Record {
    Entry entry;
    std::uint64_t token;
    bool damaged = false;
  };
  [[nodiscard]] Position position_at(std::uint64_t index) const;

  mutable std::mutex mutex_;
  std::condition_variable_any grown_;
  Origin origin_;
  std::string id_;
  std::uint64_t salt_ = 0;
  std::vector<Record> records_;
  std::uint64_t first_ = 0;
  Position acknowledged_;
  bool ended_ = false;
};

// A new random UUID's text.
[[nodiscard]] std::string random_uuid();

}  // namespace iptrackd::test

#endif
