#include "server/resp/parser.hpp"

#include <algorithm>
#include <cstring>

#include "common/check.hpp"
#include "server/commands/numbers.hpp"

namespace switchback {
namespace {

// Argument vectors above this size are given back after the request.
constexpr std::size_t kKeptArgumentCountMax = 64;

}  // namespace

ParseStatus RequestParser::Parse(std::string_view input) {
  if (step_ == Step::kStart) {
    if (input.empty()) return ParseStatus::kIncomplete;
    step_ = input.front() == '*' ? Step::kCount : Step::kInline;
  }
  while (true) {
    bool is_done = false;
    switch (step_) {
      case Step::kStart: SB_CHECK(false, "a request was begun above"); break;
      case Step::kInline: return ParseInline(input);
      case Step::kCount: is_done = ParseCount(input); break;
      case Step::kLength: is_done = ParseLength(input); break;
      case Step::kBytes: is_done = ParseBytes(input); break;
      case Step::kSkip: is_done = SkipBytes(input); break;
      case Step::kCommand: return Complete(unquoted_.empty() ? input.data() : unquoted_.data());
      case Step::kError: return ParseStatus::kError;
    }
    if (!is_done) return ParseStatus::kIncomplete;
  }
}

ParseStatus RequestParser::ParseInline(std::string_view input) {
  const std::size_t end = input.find('\n', position_);
  if ((end == std::string_view::npos ? input.size() : end) > kInlineBytesMax) {
    FailWith("Protocol error: too big inline request");
    return ParseStatus::kError;
  }
  if (end == std::string_view::npos) {
    position_ = input.size();
    return ParseStatus::kIncomplete;
  }
  std::string_view line = input.substr(0, end);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (!SplitInlineRequest(line, unquoted_, slices_)) {
    FailWith("Protocol error: unbalanced quotes in request");
    return ParseStatus::kError;
  }
  position_ = end + 1;
  step_ = Step::kCommand;
  return Complete(unquoted_.data());
}

bool RequestParser::ParseCount(std::string_view input) {
  long long count = 0;
  switch (ReadNumberLine(input, count)) {
    case LineStatus::kWait:
      if (input.size() <= kInlineBytesMax) return false;
      return FailWith("Protocol error: too big mbulk count string");
    case LineStatus::kNotANumber: return FailWith("Protocol error: invalid multibulk length");
    case LineStatus::kNumber: break;
  }
  if (count > static_cast<long long>(kArgumentCountMax)) {
    return FailWith("Protocol error: invalid multibulk length");
  }
  if (!is_trusted_ && count > static_cast<long long>(kStrangerArgumentCountMax)) {
    return FailWith("Protocol error: unauthenticated multibulk length");
  }
  // "*0" and "*-1" are nothing to do.
  arguments_left_ = count > 0 ? static_cast<std::size_t>(count) : 0;
  step_ = arguments_left_ == 0 ? Step::kCommand : Step::kLength;
  return true;
}

bool RequestParser::ParseLength(std::string_view input) {
  const std::size_t begin = position_;
  long long length = 0;
  const LineStatus status = ReadNumberLine(input, length);
  if (status == LineStatus::kWait) {
    if (input.size() - begin <= kInlineBytesMax) return false;
    return FailWith("Protocol error: too big bulk count string");
  }
  if (input[begin] != '$') {
    return FailWith(std::string("Protocol error: expected '$', got '") + input[begin] + "'");
  }
  if (status == LineStatus::kNotANumber || length < 0 ||
      length > static_cast<long long>(kBulkBytesMax)) {
    return FailWith("Protocol error: invalid bulk length");
  }
  if (!is_trusted_ && length > static_cast<long long>(kStrangerBulkBytesMax)) {
    return FailWith("Protocol error: unauthenticated bulk length");
  }
  const auto bytes = static_cast<std::size_t>(length);
  bulk_bytes_left_ = bytes + 2;
  if (bytes > argument_bytes_max_ || position_ + bytes > kRequestBytesMax) GiveUpKeeping();
  step_ = is_too_long_ ? Step::kSkip : Step::kBytes;
  return true;
}

bool RequestParser::ParseBytes(std::string_view input) {
  if (input.size() - position_ < bulk_bytes_left_) return false;
  slices_.push_back({position_, bulk_bytes_left_ - 2});
  // Like Redis, don't look at the two bytes behind the argument.
  position_ += bulk_bytes_left_;
  --arguments_left_;
  step_ = arguments_left_ == 0 ? Step::kCommand : Step::kLength;
  return true;
}

bool RequestParser::SkipBytes(std::string_view input) {
  const std::size_t bytes = std::min(input.size() - position_, bulk_bytes_left_);
  position_ += bytes;
  bulk_bytes_left_ -= bytes;
  if (bulk_bytes_left_ != 0) return false;
  --arguments_left_;
  step_ = arguments_left_ == 0 ? Step::kCommand : Step::kLength;
  return true;
}

void RequestParser::GiveUpKeeping() {
  is_too_long_ = true;
  slices_.clear();
  slices_.shrink_to_fit();
}

std::size_t RequestParser::TakeDiscardable() {
  if (!is_too_long_ || step_ == Step::kCommand) return 0;
  const std::size_t bytes = position_;
  position_ = 0;
  return bytes;
}

ParseStatus RequestParser::Complete(const char* base) {
  arguments_.clear();
  if (!is_too_long_) {
    for (const Slice& slice : slices_) arguments_.emplace_back(base + slice.offset, slice.size);
  }
  return ParseStatus::kCommand;
}

bool RequestParser::FailWith(std::string message) {
  error_ = std::move(message);
  step_ = Step::kError;
  return true;  // "go on": Parse then answers kError
}

void RequestParser::Next() {
  step_ = Step::kStart;
  position_ = 0;
  is_too_long_ = false;
  arguments_.clear();
  slices_.clear();
  unquoted_.clear();
  if (slices_.capacity() > kKeptArgumentCountMax) {
    slices_.shrink_to_fit();
    arguments_.shrink_to_fit();
  }
  if (unquoted_.capacity() > kIdleBufferBytesMax) unquoted_.shrink_to_fit();
}

RequestParser::LineStatus RequestParser::ReadNumberLine(std::string_view input, long long& number) {
  const char* const begin = input.data() + position_;
  const char* const end = input.data() + input.size();
  if (begin == end) return LineStatus::kWait;
  // The common case: one to nine plain digits, no search for the line's end first.
  const char* p = begin + 1;
  long long value = 0;
  while (p < end && p - begin <= 9 && *p >= '0' && *p <= '9') value = value * 10 + (*p++ - '0');
  if (p + 1 < end && *p == '\r' && p > begin + 1 && (begin[1] != '0' || p == begin + 2)) {
    number = value;
    position_ += static_cast<std::size_t>(p - begin) + 2;
    return LineStatus::kNumber;
  }
  const void* found = std::memchr(begin, '\r', static_cast<std::size_t>(end - begin));
  if (found == nullptr || static_cast<const char*>(found) + 1 >= end) return LineStatus::kWait;
  const auto length = static_cast<std::size_t>(static_cast<const char*>(found) - begin);
  const bool is_number = length > 0 && ParseInteger({begin + 1, length - 1}, number);
  position_ += length + 2;
  return is_number ? LineStatus::kNumber : LineStatus::kNotANumber;
}

}  // namespace switchback
