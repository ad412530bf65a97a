#include "server/transfer/line_reader.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace switchback {
namespace {

constexpr std::size_t kReadBytes = 256u << 10;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

Result<bool> LineReader::Fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const std::size_t size = buffer_.size();
  buffer_.resize(size + kReadBytes);
  ssize_t count = 0;
  do {
    count = ::read(descriptor_, buffer_.data() + size, kReadBytes);
  } while (count < 0 && errno == EINTR);
  buffer_.resize(size + static_cast<std::size_t>(count < 0 ? 0 : count));
  if (count < 0) return Fail(ErrorCode::kIo, std::string("read: ") + std::strerror(errno));
  bytes_read_ += static_cast<std::uint64_t>(count);
  return count > 0;
}

Status LineReader::PassOver() {
  while (is_passing_over_) {
    const auto end = buffer_.find('\n', begin_);
    begin_ = end == std::string::npos ? buffer_.size() : end + 1;
    is_passing_over_ = end == std::string::npos;
    if (!is_passing_over_) break;
    const auto has_more = Fill();
    if (!has_more) return Fail(has_more.error());
    if (!*has_more) is_passing_over_ = false;
  }
  return {};
}

Result<std::optional<TransferLine>> LineReader::Next() {
  SB_RETURN_IF_ERROR(PassOver());
  std::size_t searched = begin_;
  while (true) {
    const auto end = buffer_.find('\n', searched);
    const bool has_end = end != std::string::npos;
    const std::size_t size = (has_end ? end : buffer_.size()) - begin_;
    if (size > line_bytes_max_) {
      is_passing_over_ = true;
      return TransferLine{++number_, {}, true};
    }
    if (has_end) {
      std::string_view text = std::string_view(buffer_).substr(begin_, size);
      begin_ = end + 1;
      if (++number_ == 1 && text.starts_with(kByteOrderMark))
        text.remove_prefix(kByteOrderMark.size());
      return TransferLine{number_, text, false};
    }
    const auto has_more = Fill();
    if (!has_more) return Fail(has_more.error());
    searched = size;  // Fill has moved the line to the buffer's beginning
    if (*has_more) continue;
    if (size == 0) return std::optional<TransferLine>();
    buffer_ += '\n';  // the last line has none of its own
  }
}

}  // namespace switchback
