// The driver `jsonl`: one JSON object a line, to a file or to standard output; json_row.h describes the
// lines.
//
// A file is made with mode 0600 and only appended to. It must be a regular file of this user's, not a
// symbolic link, and no other daemon may be writing it. A batch is stored whole (fdatasync) or taken back.
// Standard output cannot be taken back: a line that broke off there is ended by a newline before the next
// one. The program must ignore SIGPIPE, so that a closed pipe is an error and not its end.
#ifndef IPTRACKD_SINK_JSONL_SINK_H
#define IPTRACKD_SINK_JSONL_SINK_H

#include <string>
#include <string_view>

#include "core/fd.h"
#include "sink/sink.h"

namespace iptrackd::sink {

class JsonlSink final : public Sink {
 public:
  // FILENAME "-" is standard output.
  JsonlSink(std::string filename, Origin origin);

  [[nodiscard]] std::string_view driver() const noexcept override { return "jsonl"; }
  // Faults: usage (no file name), environment (everything else).
  [[nodiscard]] Result<void> open(std::stop_token stop) override;
  // Faults: environment (disk full, pipe closed, ...), cancelled. The sink stays open: the same batch may be
  // tried again.
  [[nodiscard]] Result<void> write(const Batch &batch, std::stop_token stop) override;

 private:
  [[nodiscard]] bool is_stdout() const noexcept { return filename_ == "-"; }
  [[nodiscard]] Result<void> check_file(int fd) const;
  [[nodiscard]] Result<void> store(std::string_view lines, const std::stop_token &stop);
  [[nodiscard]] Result<void> write_all(std::string_view lines, const std::stop_token &stop);

  std::string filename_;
  Origin origin_;
  Fd file_;
  bool open_ = false;
  bool broken_line_ = false;
};

}  // namespace iptrackd::sink

#endif
