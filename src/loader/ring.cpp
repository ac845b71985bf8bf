#include "loader/ring.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <utility>

namespace iptrackd::loader {
namespace {

constexpr std::size_t header_size = BPF_RINGBUF_HDR_SZ;

std::uint64_t load(const void *position) noexcept {
  auto *word = static_cast<std::uint64_t *>(const_cast<void *>(position));
  return std::atomic_ref{*word}.load(std::memory_order_acquire);
}

std::size_t padded(std::uint32_t length) noexcept {
  return (length + header_size + 7) / 8 * 8;
}

}  // namespace

void Ring::Unmap::operator()(void *address) const noexcept {
  munmap(address, size);
}

Ring::Ring(Mapping consumer, Mapping producer, std::size_t size, std::size_t page) noexcept
    : consumer_{std::move(consumer)}, producer_{std::move(producer)}, mask_{size - 1}, page_{page} {}

Result<Ring> Ring::map(int map_fd, std::size_t size) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void *consumer = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (consumer == MAP_FAILED) return fail_errno("cannot map the ring buffer's consumer page");
  Mapping consumer_mapping{consumer, Unmap{page}};
  const std::size_t length = page + 2 * size;
  void *producer = mmap(nullptr, length, PROT_READ, MAP_SHARED, map_fd, static_cast<off_t>(page));
  if (producer == MAP_FAILED) return fail_errno("cannot map the ring buffer's data");
  return Ring{std::move(consumer_mapping), Mapping{producer, Unmap{length}}, size, page};
}

std::size_t Ring::pending() const noexcept {
  return load(producer_.get()) - load(consumer_.get());
}

std::optional<std::span<const std::byte>> Ring::front() noexcept {
  while (pending() != 0) {
    const std::uint64_t position = load(consumer_.get());
    const auto *header = static_cast<std::byte *>(producer_.get()) + page_ + (position & mask_);
    auto *word = reinterpret_cast<std::uint32_t *>(const_cast<std::byte *>(header));
    const std::uint32_t length = std::atomic_ref{*word}.load(std::memory_order_acquire);
    if ((length & BPF_RINGBUF_BUSY_BIT) != 0) return std::nullopt;
    front_size_ = padded(length & ~BPF_RINGBUF_DISCARD_BIT);
    if ((length & BPF_RINGBUF_DISCARD_BIT) == 0) return std::span{header + header_size, length};
    release();
  }
  return std::nullopt;
}

void Ring::release() noexcept {
  auto *position = static_cast<std::uint64_t *>(consumer_.get());
  std::atomic_ref{*position}.store(load(position) + std::exchange(front_size_, 0), std::memory_order_release);
}

}  // namespace iptrackd::loader
