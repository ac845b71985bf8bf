#include "loader/ring.h"

#include <bpf/bpf.h>
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

Ring::Ring(Mapping consumer, Mapping producer, std::size_t size, std::size_t page, std::uint32_t id) noexcept
    : consumer_{std::move(consumer)},
      producer_{std::move(producer)},
      mask_{size - 1},
      page_{page},
      id_{id},
      cursor_{load(consumer_.get())} {}

Result<Ring> Ring::map(int map_fd) {
  bpf_map_info info{};
  std::uint32_t info_size = sizeof(info);
  if (bpf_obj_get_info_by_fd(map_fd, &info, &info_size) != 0) {
    return fail_errno("cannot examine the ring buffer");
  }
  const std::size_t size = info.max_entries;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void *consumer = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (consumer == MAP_FAILED) return fail_errno("cannot map the ring buffer's consumer page");
  Mapping consumer_mapping{consumer, Unmap{page}};
  const std::size_t length = page + 2 * size;
  void *producer = mmap(nullptr, length, PROT_READ, MAP_SHARED, map_fd, static_cast<off_t>(page));
  if (producer == MAP_FAILED) return fail_errno("cannot map the ring buffer's data");
  return Ring{std::move(consumer_mapping), Mapping{producer, Unmap{length}}, size, page, info.id};
}

std::size_t Ring::pending() const noexcept {
  return load(producer_.get()) - cursor_;
}

std::optional<std::span<const std::byte>> Ring::front() noexcept {
  while (pending() != 0) {
    const auto *header = static_cast<std::byte *>(producer_.get()) + page_ + (cursor_ & mask_);
    auto *word = reinterpret_cast<std::uint32_t *>(const_cast<std::byte *>(header));
    const std::uint32_t length = std::atomic_ref{*word}.load(std::memory_order_acquire);
    if ((length & BPF_RINGBUF_BUSY_BIT) != 0) return std::nullopt;
    front_size_ = padded(length & ~BPF_RINGBUF_DISCARD_BIT);
    if ((length & BPF_RINGBUF_DISCARD_BIT) == 0) return std::span{header + header_size, length};
    advance();
  }
  return std::nullopt;
}

std::uint64_t Ring::advance() noexcept {
  cursor_ += std::exchange(front_size_, 0);
  return cursor_;
}

void Ring::release_to(std::uint64_t position) noexcept {
  auto *consumer = static_cast<std::uint64_t *>(consumer_.get());
  std::atomic_ref{*consumer}.store(position, std::memory_order_release);
}

}  // namespace iptrackd::loader
