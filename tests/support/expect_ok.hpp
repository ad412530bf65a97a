// Results in tests: what went wrong is part of the failure's text.
#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "common/result.hpp"

namespace switchback::test {

template <class T>
::testing::AssertionResult IsOk(const Result<T>& result) {
  if (result) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << ErrorCodeName(result.error().code) << ": " << result.error().message;
}

template <class T>
::testing::AssertionResult FailsWith(const Result<T>& result, ErrorCode code) {
  if (result) return ::testing::AssertionFailure() << "succeeded, expected " << ErrorCodeName(code);
  if (result.error().code == code) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << ErrorCodeName(result.error().code) << " (" << result.error().message << "), expected "
         << ErrorCodeName(code);
}

// The value, or the end of the test program: for set-up steps without which nothing makes sense.
template <class T>
T Must(Result<T> result) {
  EXPECT_TRUE(IsOk(result));
  if (!result) std::abort();
  return *std::move(result);
}
inline void Must(const Status& status) {
  EXPECT_TRUE(IsOk(status));
}

}  // namespace switchback::test
