// The named pipe that the callbacks write: created, owned, locked and removed. It exists only while a reader
// does, so that a callback without a daemon knows at once, and leaves its record instead of writing it where
// nobody looks.
#ifndef IPTRACKD_PAM_FIFO_H
#define IPTRACKD_PAM_FIFO_H

#include <cstddef>
#include <string>

#include "core/fd.h"
#include "core/result.h"

namespace iptrackd::pam {

class Fifo {
 public:
  // Creates PATH (mode 0600) and, where it is missing, its directory (mode 0700), or takes over a FIFO that
  // an earlier daemon left; PIPE_BYTES is how much it should hold, where the system allows that much. Errors,
  // all of them Fault::environment, each with PATH: another daemon has it; it is no FIFO, a link, or one that
  // others could have opened; the system refuses. What was there before is then as it was.
  [[nodiscard]] static Result<Fifo> open(const std::string &path, std::size_t pipe_bytes);

  // The same of a FIFO at PATH that somebody else made and holds open as INHERITED: systemd, for the time in
  // which no daemon runs. Its name stays.
  [[nodiscard]] static Result<Fifo> adopt(const std::string &path, Fd inherited, std::size_t pipe_bytes);

  Fifo(Fifo &&other) noexcept;
  Fifo &operator=(Fifo &&) = delete;
  Fifo(const Fifo &) = delete;
  Fifo &operator=(const Fifo &) = delete;
  ~Fifo();  // removes what open() created

  // Readable, non-blocking, and never at its end: it is its own writer.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // Takes the name away, if it still belongs to this FIFO and is not somebody else's. Who has it open already
  // can go on writing.
  void remove() noexcept;

 private:
  explicit Fifo(std::string path) : path_{std::move(path)} {}
  Result<void> create();
  void prepare(std::size_t pipe_bytes) const noexcept;
  Result<void> open_checked();
  Result<void> lock();
  [[nodiscard]] bool is_at_path() const noexcept;

  std::string path_;
  Fd fd_;
  bool adopted_ = false;
  bool created_ = false;
  bool created_directory_ = false;
};

}  // namespace iptrackd::pam

#endif
