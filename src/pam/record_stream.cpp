#include "pam/record_stream.h"

#include <algorithm>
#include <cstring>

namespace iptrackd::pam {
namespace {

constexpr std::size_t magic_size = sizeof(iptrackd_pam_header::magic);
constexpr std::size_t crc_offset = offsetof(iptrackd_pam_header, crc);

template <typename Number>
Number number_at(Bytes bytes, std::size_t offset) noexcept {
  Number number;
  std::memcpy(&number, bytes.data() + offset, sizeof(number));
  return number;
}

}  // namespace

Frame inspect_frame(Bytes bytes) noexcept {
  if (bytes.empty()) return {Frame::State::partial, 0};
  const std::size_t seen = std::min(bytes.size(), magic_size);
  if (std::memcmp(bytes.data(), IPTRACKD_PAM_MAGIC, seen) != 0) return {Frame::State::foreign, 0};
  if (bytes.size() < crc_offset) return {Frame::State::partial, 0};

  const std::size_t size = number_at<std::uint16_t>(bytes, offsetof(iptrackd_pam_header, size));
  if (size < IPTRACKD_PAM_RECORD_MIN || size > IPTRACKD_PAM_RECORD_MAX) return {Frame::State::damaged, 0};
  if (bytes.size() < size) return {Frame::State::partial, size};

  const Bytes covered = bytes.first(size).subspan(IPTRACKD_PAM_CRC_BEGIN);
  const bool right =
      number_at<std::uint32_t>(bytes, crc_offset) == iptrackd_pam_crc(covered.data(), covered.size());
  return {right ? Frame::State::whole : Frame::State::damaged, size};
}

std::span<std::uint8_t> RecordStream::space() noexcept {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return std::span{buffer_}.subspan(end_);
}

void RecordStream::filled(std::size_t count) noexcept {
  end_ = std::min(end_ + count, buffer_.size());
}

std::optional<Bytes> RecordStream::next(Tail tail) noexcept {
  while (begin_ < end_) {
    const Bytes rest = std::span{buffer_}.first(end_).subspan(begin_);
    const Frame frame = inspect_frame(rest);
    if (frame.state == Frame::State::whole) {
      begin_ += frame.size;
      return rest.first(frame.size);
    }
    if (frame.state == Frame::State::partial && tail == Tail::open) return std::nullopt;
    if (frame.state != Frame::State::foreign) ++damaged_records_;
    skip();
  }
  return std::nullopt;
}

// To the next byte that could begin a record.
void RecordStream::skip() noexcept {
  const auto from = buffer_.begin() + static_cast<std::ptrdiff_t>(begin_);
  const auto to = buffer_.begin() + static_cast<std::ptrdiff_t>(end_);
  const auto found = std::find(from + 1, to, static_cast<std::uint8_t>(IPTRACKD_PAM_MAGIC[0]));
  garbage_bytes_ += static_cast<std::uint64_t>(found - from);
  begin_ += static_cast<std::size_t>(found - from);
}

}  // namespace iptrackd::pam
