// Result<T> and Status: how every fallible function here reports failure.
//
// Expected outcomes (a key that is absent, a condition that does not hold) are values. An Error is
// a failure of the outside world: a disk, a file, an argument from a client. Broken invariants of
// our own are SB_CHECK (common/check.hpp).
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace switchback {

// For programs. `server/errors` maps each code to a RESP prefix, an HTTP status and an exit code.
enum class ErrorCode {
  kInvalidArgument,  // the caller's input is wrong; nothing changed
  kTooLarge,         // past a named limit; nothing changed
  kNotFound,         // a named thing (flag, collection, file) does not exist
  kUnsupported,      // valid elsewhere, not here
  kRefused,          // a safety check says no; the message says what is missing
  kReadOnly,         // writes are refused for now; the message says by whom and why
  kConflict,         // somebody else has it (lock file, another operation)
  kBusy,             // past a resource limit for now; trying again later is right
  kUnavailable,      // no store can serve this
  kNoSpace,          // disk, map or quota is full
  kIo,               // the operating system refused
  kUnknownOutcome,   // a commit or fsync failed half-way: it may or may not be on disk
  kCorruption,       // stored bytes are not what was written
  kForeignWrite,     // another process committed to a store that is ours
  kCancelled,        // shutting down
  kInternal,
};

const char* ErrorCodeName(ErrorCode code);

// `message` is for people: "doing what: cause", with what to do next where that is known.
struct Error {
  ErrorCode code;
  std::string message;
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
  using Base = tl::expected<T, Error>;

 public:
  using Base::Base;
  Result(Base base)
      : Base(std::move(base)) {}  // NOLINT(google-explicit-constructor): keeps map() and and_then()
};

using Status = Result<void>;

inline tl::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}
inline tl::unexpected<Error> Fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

// "`doing`: <strerror>" with a code that fits errno: ENOSPC, EDQUOT -> kNoSpace; ENOENT ->
// kNotFound; else kIo.
tl::unexpected<Error> FailErrno(const std::string& doing, int error_number);

// Returns `error` with "`doing`: " put before its message. Use it once, where the context is known.
inline Error WithContext(Error error, const std::string& doing) {
  error.message = doing + ": " + error.message;
  return error;
}

}  // namespace switchback

// Leaves the enclosing function with the error of `expression`, a Status, if it has one.
#define SB_RETURN_IF_ERROR(expression)                         \
  do {                                                         \
    if (auto sb_status = (expression); !sb_status) {           \
      return ::switchback::Fail(std::move(sb_status).error()); \
    }                                                          \
  } while (false)
