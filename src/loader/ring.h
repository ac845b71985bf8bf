// Ring: the consumer's end of one BPF ring buffer.
//
// Written here, and not left to libbpf's ring_buffer, because the consumer position is ours to move: a record
// is released only when it has been handed on, so that a full pool holds it back in the ring, where the
// kernel counts what no longer fits. The layout is the kernel's (kernel/bpf/ringbuf.c):
//
//   page 0: consumer position (writable) │ page 1: producer position │ data, mapped twice in a row, so that
//   no record is ever split. A record: u32 length and flags, u32 page offset, payload, padding to 8 bytes.
//
// Used by one thread.
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
  // MAP_FD: a BPF_MAP_TYPE_RINGBUF of SIZE bytes; it need not stay open.
  [[nodiscard]] static Result<Ring> map(int map_fd, std::size_t size);

  // The oldest record, valid until release(); nothing when the ring is empty or the oldest record is still
  // being written. Discarded records are skipped.
  [[nodiscard]] std::optional<std::span<const std::byte>> front() noexcept;
  // Releases the record that front() returned.
  void release() noexcept;
  // Bytes between consumer and producer: 0 is an empty ring, anything else with front() empty is a record in
  // the making.
  [[nodiscard]] std::size_t pending() const noexcept;

 private:
  struct Unmap {
    std::size_t size = 0;
    void operator()(void *address) const noexcept;
  };
  using Mapping = std::unique_ptr<void, Unmap>;

  Ring(Mapping consumer, Mapping producer, std::size_t size, std::size_t page) noexcept;

  Mapping consumer_;
  Mapping producer_;
  std::size_t mask_;
  std::size_t page_;
  std::size_t front_size_ = 0;  // of the record that front() returned, header and padding included
};

}  // namespace iptrackd::loader

#endif
