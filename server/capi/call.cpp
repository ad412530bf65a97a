#include "server/capi/call.hpp"

#include <cstdlib>
#include <cstring>

#include "common/limits.hpp"

namespace switchback::capi {
namespace {

// The C codes are the library's, one higher: 0 is what C calls success.
constexpr switchback_code ToC(ErrorCode code) {
  return static_cast<switchback_code>(static_cast<int>(code) + 1);
}
static_assert(ToC(ErrorCode::kInvalidArgument) == SWITCHBACK_INVALID_ARGUMENT);
static_assert(ToC(ErrorCode::kTooLarge) == SWITCHBACK_TOO_LARGE);
static_assert(ToC(ErrorCode::kNotFound) == SWITCHBACK_NOT_FOUND);
static_assert(ToC(ErrorCode::kUnsupported) == SWITCHBACK_UNSUPPORTED);
static_assert(ToC(ErrorCode::kRefused) == SWITCHBACK_REFUSED);
static_assert(ToC(ErrorCode::kReadOnly) == SWITCHBACK_READ_ONLY);
static_assert(ToC(ErrorCode::kConflict) == SWITCHBACK_CONFLICT);
static_assert(ToC(ErrorCode::kBusy) == SWITCHBACK_BUSY);
static_assert(ToC(ErrorCode::kUnavailable) == SWITCHBACK_UNAVAILABLE);
static_assert(ToC(ErrorCode::kNoSpace) == SWITCHBACK_NO_SPACE);
static_assert(ToC(ErrorCode::kIo) == SWITCHBACK_IO);
static_assert(ToC(ErrorCode::kUnknownOutcome) == SWITCHBACK_UNKNOWN_OUTCOME);
static_assert(ToC(ErrorCode::kCorruption) == SWITCHBACK_CORRUPTION);
static_assert(ToC(ErrorCode::kForeignWrite) == SWITCHBACK_FOREIGN_WRITE);
static_assert(ToC(ErrorCode::kCancelled) == SWITCHBACK_CANCELLED);
static_assert(ToC(ErrorCode::kInternal) == SWITCHBACK_INTERNAL);

// Of this thread: the text in `kept`, or `fixed` where no memory was left for one.
struct LastError {
  std::string kept;
  const char* fixed = nullptr;
};
thread_local LastError last_error;

}  // namespace

switchback_code ReportText(ErrorCode code, const char* message) noexcept {
  try {
    last_error.kept = message;
    last_error.fixed = nullptr;
  } catch (...) {
    last_error.fixed = "no memory was left for the message";
  }
  return ToC(code);
}

switchback_code Report(const Error& error) noexcept {
  return ReportText(error.code, error.message.c_str());
}

Result<std::string_view> BytesOf(const void* bytes, std::size_t size, const char* what) {
  if (bytes == nullptr && size > 0)
    return Fail(ErrorCode::kInvalidArgument, std::string(what) + " is NULL, and its size is not 0");
  return std::string_view(static_cast<const char*>(bytes), size);
}

Result<std::string_view> KeyOf(const void* key, std::size_t size) {
  if (size == 0 || size > kKeyBytesMax)
    return Fail(ErrorCode::kInvalidArgument, "a key has 1 to " + std::to_string(kKeyBytesMax) +
                                                 " bytes, this one " + std::to_string(size));
  return BytesOf(key, size, "key");
}

Status CheckGiven(const void* pointer, const char* name) {
  if (pointer != nullptr) return {};
  return Fail(ErrorCode::kInvalidArgument, std::string(name) + " is NULL");
}

Result<void*> CopyOut(std::string_view bytes) {
  auto* copy = static_cast<char*>(std::malloc(bytes.size() + 1));
  if (copy == nullptr)
    return Fail(ErrorCode::kBusy, "no memory for " + std::to_string(bytes.size()) + " bytes");
  if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
  copy[bytes.size()] = '\0';
  return static_cast<void*>(copy);
}

}  // namespace switchback::capi

extern "C" {

const char* switchback_error_message(void) {
  const auto& error = switchback::capi::last_error;
  return error.fixed != nullptr ? error.fixed : error.kept.c_str();
}

const char* switchback_code_name(switchback_code code) {
  const int number = static_cast<int>(code);
  if (number == SWITCHBACK_OK) return "ok";
  if (number < 0 || number > SWITCHBACK_INTERNAL) return "unknown";
  return switchback::ErrorCodeName(static_cast<switchback::ErrorCode>(number - 1));
}

void switchback_free(void* memory) {
  std::free(memory);
}

}  // extern "C"
