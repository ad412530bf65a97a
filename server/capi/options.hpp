// switchback_options as C gives them, whichever version of the header it was compiled with.
#pragma once

#include "common/log.hpp"
#include "server/capi/embedded.hpp"
#include "server/capi/switchback.h"

namespace switchback::capi {

struct OpenRequest {
  EmbeddedOptions embedded;
  LogLevel log_level = LogLevel::kWarning;
};

// kInvalidArgument (size, data_dir, an unknown value), kUnsupported (a member that this version
// does not know is not 0).
Result<OpenRequest> ReadOptions(const switchback_options* options);

}  // namespace switchback::capi
