#include "server/errors.hpp"

#include <array>

#include "common/check.hpp"

namespace switchback {
namespace {

struct ErrorRow {
  ErrorCode code;
  std::string_view resp_prefix;
  int http_status;
  int exit_code;
};

// In the order of ErrorCode, so that a code is its row's index (checked below). kTooLarge and
// kInvalidArgument are the client's mistakes and carry Redis's generic prefix; the others get words
// of their own, so that a client can tell "try again" (BUSY, UNAVAILABLE) from "look before you try
// again" (UNKNOWN).
constexpr std::array<ErrorRow, 16> kErrorRows{{
    {ErrorCode::kInvalidArgument, "ERR", 400, kExitUsage},
    {ErrorCode::kTooLarge, "ERR", 413, kExitFailed},
    {ErrorCode::kNotFound, "ERR", 404, kExitFailed},
    {ErrorCode::kUnsupported, "ERR", 501, kExitFailed},
    {ErrorCode::kRefused, "REFUSED", 409, kExitRefused},
    {ErrorCode::kReadOnly, "READONLY", 409, kExitRefused},
    {ErrorCode::kConflict, "CONFLICT", 409, kExitFailed},
    {ErrorCode::kBusy, "BUSY", 429, kExitFailed},
    {ErrorCode::kUnavailable, "UNAVAILABLE", 503, kExitFailed},
    {ErrorCode::kNoSpace, "NOSPACE", 507, kExitFailed},
    {ErrorCode::kIo, "IOERR", 500, kExitFailed},
    {ErrorCode::kUnknownOutcome, "UNKNOWN", 500, kExitFailed},
    {ErrorCode::kCorruption, "CORRUPT", 500, kExitFailed},
    {ErrorCode::kForeignWrite, "FOREIGN", 503, kExitRefused},
    {ErrorCode::kCancelled, "UNAVAILABLE", 503, kExitFailed},
    {ErrorCode::kInternal, "ERR", 500, kExitFailed},
}};

constexpr bool RowsAreInOrder() {
  for (std::size_t i = 0; i < kErrorRows.size(); ++i) {
    if (static_cast<std::size_t>(kErrorRows[i].code) != i) return false;
  }
  return static_cast<std::size_t>(ErrorCode::kInternal) + 1 == kErrorRows.size();
}
static_assert(RowsAreInOrder(), "kErrorRows has one row an ErrorCode, in its order");

const ErrorRow& Row(ErrorCode code) {
  const auto index = static_cast<std::size_t>(code);
  SB_CHECK(index < kErrorRows.size(), "an ErrorCode is one of the enumerators");
  return kErrorRows[index];
}

}  // namespace

std::string_view RespErrorPrefix(ErrorCode code) {
  return Row(code).resp_prefix;
}

std::string RespErrorText(const Error& error) {
  std::string text(RespErrorPrefix(error.code));
  text += ' ';
  // What may be on disk must be said to whoever decides whether to send it again.
  if (error.code == ErrorCode::kUnknownOutcome) {
    text += "the write may or may not have been stored: ";
  }
  text += error.message;
  for (char& c : text) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  return text;
}

int HttpStatus(ErrorCode code) {
  return Row(code).http_status;
}

int ExitCode(ErrorCode code) {
  return Row(code).exit_code;
}

int ExitCode(const Status& status) {
  return status ? kExitDone : ExitCode(status.error().code);
}

}  // namespace switchback
