// What every function of the C interface does around its work: no exception leaves it, and what
// went wrong is kept for switchback_error_message().
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "common/result.hpp"
#include "server/capi/switchback.h"

namespace switchback::capi {

// Notes the error for this thread and gives its code. Never throws.
switchback_code Report(const Error& error) noexcept;
switchback_code ReportText(ErrorCode code, const char* message) noexcept;

// Runs `work`, which gives a Status. What a library throws (no memory, no thread) ends here.
template <class Work>
switchback_code Answer(const Work& work) noexcept {
  try {
    const Status done = work();
    return done ? SWITCHBACK_OK : Report(done.error());
  } catch (const std::exception& thrown) {
    return ReportText(ErrorCode::kInternal, thrown.what());
  } catch (...) {
    return ReportText(ErrorCode::kInternal, "an unknown exception");
  }
}

// Bytes from outside. kInvalidArgument for NULL with a size; `what` names them.
Result<std::string_view> BytesOf(const void* bytes, std::size_t size, const char* what);
// The same of a key that can exist.
Result<std::string_view> KeyOf(const void* key, std::size_t size);
// kInvalidArgument when a pointer that is needed is NULL; `name` is that of the parameter.
Status CheckGiven(const void* pointer, const char* name);

// A copy that the caller ends with switchback_free(), with a NUL behind it.
Result<void*> CopyOut(std::string_view bytes);

}  // namespace switchback::capi
