// Ring: the consumer's end of one BPF ring buffer.
//
// Written here, and not left to libbpf's ring_buffer, because the consumer position is ours to move: a record
// is released only when the spool holds it, so that whatever ends the daemon, the next one finds in the ring
// what was not yet safe; and what does not fit meanwhile the kernel counts. The layout is the kernel's
// (kernel/bpf/ringbuf.c):
//
//   page 0: consumer position (writable) │ page 1: producer position │ data, mapped twice in a row, so that
//   no record is ever split. A record: u32 length and flags, u32 page offset, payload, padding to 8 bytes.
//
//   released ──> consumer position ── read, not released ──> cursor ── not read ──> producer position
//
// front(), advance() and pending() are for one thread; release_to() may be called from another.
#ifndef IPTRACKD_LOADER_RING_H
#define IPTRACKD_LOADER_RING_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/result.h"

namespace iptrackd::loader {

class Ring {
 public:
  // MAP_FD: a BPF_MAP_TYPE_RINGBUF; it need not stay open. Reading begins at its consumer position.
  [[nodiscard]] static Result<Ring> map(int map_fd);

  // The oldest record that was not read, valid until it is released; nothing when there is none or it is
  // still being written. Discarded records are skipped.
  [[nodiscard]] std::optional<std::span<const std::byte>> front() noexcept;
  // Reads on behind the record that front() returned; returns the position of its end.
  std::uint64_t advance() noexcept;
  // Gives everything before POSITION back to the kernel.
  void release_to(std::uint64_t position) noexcept;

  // Bytes between cursor and producer: 0 is an empty ring, anything else with front() empty is a record in
  // the making.
  [[nodiscard]] std::size_t pending() const noexcept;
  [[nodiscard]] std::uint64_t cursor() const noexcept { return cursor_; }
  // The kernel's number of the map: no other has it before the next boot.
  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }

 private:
  struct Unmap {
    std::size_t size = 0;
    void operator()(void *address) const noexcept;
  };
  using Mapping = std::unique_ptr<void, Unmap>;

  Ring(Mapping consumer, Mapping producer, std::size_t size, std::size_t page, std::uint32_t id) noexcept;

  Mapping consumer_;
  Mapping producer_;
  std::size_t mask_;
  std::size_t page_;
  std::uint32_t id_;
  std::uint64_t cursor_;
  std::size_t front_size_ = 0;  // of the record that front() returned, header and padding included
};

}  // namespace iptrackd::loader

#endif
