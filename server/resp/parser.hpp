// Reads RESP requests out of bytes, without any I/O: arrays of bulk strings, and inline commands.
// Incremental: it remembers how far it got, so that a request fed one byte at a time costs no more
// than one fed at once. Copies no argument of an array. Error texts are those of Redis 7.0.
//
//   while (parser.Parse(input) == ParseStatus::kCommand) {
//     Execute(parser.arguments());
//     input.remove_prefix(parser.request_bytes());
//     parser.Next();
//   }
//
// An argument above `argument_bytes_max`, or a request above kRequestBytesMax, is read to its end
// without being kept: is_too_long() says so, and the connection goes on. Not thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/resp/inline_request.hpp"
#include "server/resp/limits.hpp"

namespace switchback {

enum class ParseStatus { kCommand, kIncomplete, kError };

class RequestParser {
 public:
  explicit RequestParser(std::size_t argument_bytes_max)
      : argument_bytes_max_(argument_bytes_max) {}

  // Lifts the limits for clients that have not authenticated.
  void SetTrusted(bool is_trusted) { is_trusted_ = is_trusted; }

  // `input` begins with the request's first byte that was not discarded and holds everything of it
  // that has arrived; it may have moved since the last call. After kCommand or kError further calls
  // answer the same until Next. An error is for good: answer it and close.
  ParseStatus Parse(std::string_view input);

  // After kCommand, valid while `input` is: name first. Empty for an empty line or "*0", which
  // Redis passes over in silence, and when is_too_long().
  [[nodiscard]] std::span<const std::string_view> arguments() const { return arguments_; }
  [[nodiscard]] bool is_too_long() const { return is_too_long_; }
  // After kCommand: how far the request goes.
  [[nodiscard]] std::size_t request_bytes() const { return position_; }

  // After kIncomplete: bytes at the front of `input` that are not needed any more. The caller drops
  // them before the next Parse. 0 unless is_too_long().
  std::size_t TakeDiscardable();

  // After kError: "Protocol error: ...".
  [[nodiscard]] std::string_view error() const { return error_; }

  // True when a request has begun and has not ended.
  [[nodiscard]] bool is_midway() const { return step_ != Step::kStart || position_ != 0; }

  // Forgets the request.
  void Next();

 private:
  enum class Step { kStart, kInline, kCount, kLength, kBytes, kSkip, kCommand, kError };
  // kWait: the line has not ended yet.
  enum class LineStatus { kNumber, kNotANumber, kWait };

  ParseStatus ParseInline(std::string_view input);
  bool ParseCount(std::string_view input);
  bool ParseLength(std::string_view input);
  bool ParseBytes(std::string_view input);
  bool SkipBytes(std::string_view input);
  void GiveUpKeeping();
  ParseStatus Complete(const char* base);
  bool FailWith(std::string message);

  // Reads the number between position_ + 1 and CRLF; leaves position_ behind the CRLF unless kWait.
  LineStatus ReadNumberLine(std::string_view input, long long& number);

  const std::size_t argument_bytes_max_;
  bool is_trusted_ = true;
  bool is_too_long_ = false;
  Step step_ = Step::kStart;
  std::size_t position_ = 0;         // next byte to look at
  std::size_t arguments_left_ = 0;   // of an array
  std::size_t bulk_bytes_left_ = 0;  // of one argument, with its CRLF
  std::vector<Slice> slices_;        // arguments so far, in `input` or in unquoted_
  std::vector<std::string_view> arguments_;
  std::string unquoted_;  // the words of an inline command
  std::string error_;
};

}  // namespace switchback
