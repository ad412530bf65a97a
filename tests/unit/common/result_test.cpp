#include "common/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "common/check.hpp"
#include "common/clock.hpp"
#include "common/log.hpp"
#include "tests/support/expect_ok.hpp"

namespace switchback {
namespace {

using test::FailsWith;
using test::IsOk;

Result<int> Half(int number) {
  if (number % 2 != 0) return Fail(ErrorCode::kInvalidArgument, "odd");
  return number / 2;
}

Status HalfTwice(int number, int& quarter) {
  auto half = Half(number);
  if (!half) return Fail(WithContext(half.error(), "first"));
  SB_RETURN_IF_ERROR(Half(*half).map([&](int result) { quarter = result; }));
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  EXPECT_EQ(*Half(4), 2);
  EXPECT_TRUE(FailsWith(Half(3), ErrorCode::kInvalidArgument));
}

TEST(Result, ErrorsLeaveTheFunctionWithTheirContext) {
  int quarter = 0;
  EXPECT_TRUE(IsOk(HalfTwice(8, quarter)));
  EXPECT_EQ(quarter, 2);
  EXPECT_EQ(HalfTwice(3, quarter).error().message, "first: odd");
  EXPECT_EQ(HalfTwice(6, quarter).error().message, "odd");
}

TEST(Result, ErrnoBecomesTheCodeThatFits) {
  EXPECT_EQ(FailErrno("write", ENOSPC).value().code, ErrorCode::kNoSpace);
  EXPECT_EQ(FailErrno("write", EDQUOT).value().code, ErrorCode::kNoSpace);
  EXPECT_EQ(FailErrno("open x", ENOENT).value().code, ErrorCode::kNotFound);
  EXPECT_EQ(FailErrno("read", EIO).value().code, ErrorCode::kIo);
  EXPECT_EQ(FailErrno("read", EIO).value().message, "read: Input/output error");
}

TEST(Result, EveryCodeHasItsOwnName) {
  std::set<std::string> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code)
    EXPECT_TRUE(names.insert(ErrorCodeName(static_cast<ErrorCode>(code))).second) << code;
}

TEST(Check, ABrokenInvariantStopsTheProcessAndSaysWhere) {
  SB_CHECK(true, "fine");
  EXPECT_DEATH(SB_CHECK(1 + 1 == 3, "arithmetic holds"), "result_test.cpp.*arithmetic holds");
}

TEST(SystemClock, NeverGoesBack) {
  const SteadyTime first = SystemClock().Now();
  EXPECT_GE(SystemClock().Now(), first);
  EXPECT_GT(SystemClock().WallNow().time_since_epoch().count(), 0);
}

TEST(Log, LinesBelowTheLevelAreDropped) {
  SetLogLevel(LogLevel::kWarning);
  EXPECT_TRUE(IsLogged(LogLevel::kError));
  EXPECT_TRUE(IsLogged(LogLevel::kWarning));
  EXPECT_FALSE(IsLogged(LogLevel::kInfo));
  EXPECT_FALSE(IsLogged(LogLevel::kDebug));
  SetLogLevel(LogLevel::kInfo);
  EXPECT_TRUE(IsLogged(LogLevel::kInfo));
}

}  // namespace
}  // namespace switchback
