// Locator: where in the spool the writer goes on, by what the sink says it has.
//
//   the sink stands ...
//     in the spool, at or beyond what was acknowledged   go on there: a COMMIT had arrived whose answer was
//     lost in the spool, before that                          the database was rewound: everything from there
//     on again before the oldest record that is held              the same, and what is gone is one row of
//     loss where the spool has never been                     another has this spool's UUID: take a new one
//
// A view that steps over something moves the position in the same transaction that says so. A new UUID begins
// at {0,0}, and the first step leads to where the old one was acknowledged.
#ifndef IPTRACKD_SINK_LOCATOR_H
#define IPTRACKD_SINK_LOCATOR_H

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/batch_source.h"
#include "core/result.h"
#include "sink/sink.h"

namespace iptrackd::sink {

class Locator {
 public:
  using Notice = std::function<void(const HostEvent &)>;

  // NOTICE may be empty.
  Locator(BatchSource &source, Sink &sink, const Origin &origin, Notice notice)
      : source_{source}, sink_{sink}, origin_{origin}, notice_{std::move(notice)} {}

  // Opens the sink and finds the place. Faults: those of Sink::open() and write(), and the source's; after
  // any, call again.
  [[nodiscard]] Result<void> locate(const std::stop_token &stop);
  [[nodiscard]] bool located() const noexcept { return located_; }
  // What the sink has is not known any more.
  void lose() noexcept { located_ = false; }

  [[nodiscard]] Position cursor() const noexcept { return cursor_; }
  // Stores VIEW, which begins at the cursor, moves on and acknowledges. What there is to be told of the place
  // goes into the same transaction. The cursor is lost by every failure but a rejection.
  [[nodiscard]] Result<void> write(const BatchView &view, const std::stop_token &stop);

 private:
  [[nodiscard]] Result<void> go_on_at(Position stored);
  [[nodiscard]] Result<void> step_over(Position stored, const std::stop_token &stop);
  [[nodiscard]] Result<void> fork();
  [[nodiscard]] Result<void> begin_anew(const std::stop_token &stop);
  [[nodiscard]] Result<void> store_step(const BatchView &view, const std::stop_token &stop);
  [[nodiscard]] std::int64_t time_of_first(const std::stop_token &stop);
  HostEvent noticed(const char *kind, std::string detail) const;

  BatchSource &source_;
  Sink &sink_;
  const Origin &origin_;
  const Notice notice_;
  Position cursor_;
  bool located_ = false;
  bool forked_ = false;
  // To be stored with the next view, which begins at notes_at_.
  std::vector<HostEvent> notes_;
  Position notes_at_;
};

}  // namespace iptrackd::sink

#endif
