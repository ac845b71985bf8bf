// The driver `jsonl`: one JSON object a line, to a file or to standard output; json_row.h describes the
// lines.
//
// A file is made with mode 0600 and only appended to. It must be a regular file of this user's, not a
// symbolic link, and no other daemon may be writing it. Beside it, position_file.h keeps how far it reaches:
// lines beyond that, of a view that was not finished, are cut off when the sink opens. A file that was
// rotated away since, or is shorter, is left as it is.
//
// Standard output cannot be taken back, and nobody knows what of it arrived: a line that broke off there is
// ended by a newline before the next one. The program must ignore SIGPIPE, so that a closed pipe is an error
// and not its end.
#ifndef IPTRACKD_SINK_JSONL_SINK_H
#define IPTRACKD_SINK_JSONL_SINK_H

#include <string>
#include <string_view>

#include "core/fd.h"
#include "sink/position_file.h"
#include "sink/sink.h"

namespace iptrackd::sink {

class JsonlSink final : public Sink {
 public:
  // FILENAME "-" is standard output.
  explicit JsonlSink(std::string filename);

  [[nodiscard]] std::string_view driver() const noexcept override { return "jsonl"; }
  // Faults: usage (no file name), environment (everything else).
  [[nodiscard]] Result<std::optional<Position>> open(const std::string &spool_id, const Origin &origin,
                                                     std::stop_token stop) override;
  // Faults: environment (disk full, pipe closed, ...), moved, cancelled.
  [[nodiscard]] Result<void> write(const std::string &spool_id, const BatchView &view,
                                   std::stop_token stop) override;

 private:
  [[nodiscard]] bool is_stdout() const noexcept { return filename_ == "-"; }
  [[nodiscard]] Result<void> open_file();
  [[nodiscard]] Result<void> check_file(int fd) const;
  // Reads how far the file reaches, and cuts off the rest.
  [[nodiscard]] Result<void> locate();
  [[nodiscard]] Result<void> store(const std::string &spool_id, const BatchView &view,
                                   const std::string &lines, const std::stop_token &stop);
  [[nodiscard]] Result<void> write_all(std::string_view lines, const std::stop_token &stop);

  std::string filename_;
  PositionFile position_file_;
  Fd file_;
  PositionFile::Record stored_;
  bool located_ = false;
  bool broken_line_ = false;
};

}  // namespace iptrackd::sink

#endif
