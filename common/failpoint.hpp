// Named places where tests make the outside world fail. Off, a failpoint costs one relaxed load.
//
//   SB_RETURN_IF_ERROR(Failpoint("log.sync"));
//
// Switched on by SetFailpoints() or by the environment variable SWITCHBACK_FAILPOINTS, read once at
// start:
//   name=action[@n][;name=action...]   action: error (kIo) | nospace (kNoSpace) | abort (kill -9 of
//   ourselves) | delay:MILLISECONDS
//   @n: only the n-th hit (counted from 1); without it every hit.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace switchback {

// Replaces all failpoints; "" switches all off. Thread-safe. Error: kInvalidArgument, nothing
// changed.
Status SetFailpoints(std::string_view specification);
// SetFailpoints(getenv("SWITCHBACK_FAILPOINTS")).
Status SetFailpointsFromEnvironment();

namespace internal {
extern std::atomic<bool> failpoints_on;
Status HitFailpoint(std::string_view name);
}  // namespace internal

inline Status Failpoint(std::string_view name) {
  if (!internal::failpoints_on.load(std::memory_order_relaxed)) [[likely]]
    return {};
  return internal::HitFailpoint(name);
}

}  // namespace switchback
