#include "common/failpoint.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <chrono>

#include "tests/support/expect_ok.hpp"
#include "tests/support/failpoints.hpp"

namespace switchback {
namespace {

using test::FailsWith;
using test::IsOk;
using test::Must;
using test::ScopedFailpoints;

TEST(Failpoint, IsOffUnlessItIsSet) {
  EXPECT_TRUE(IsOk(Failpoint("a")));
  const ScopedFailpoints failpoints("b=error");
  EXPECT_TRUE(IsOk(Failpoint("a")));
}

TEST(Failpoint, GivesTheErrorAskedFor) {
  const ScopedFailpoints failpoints("a=error;b=nospace");
  const Status a = Failpoint("a");
  ASSERT_TRUE(FailsWith(a, ErrorCode::kIo));
  EXPECT_EQ(a.error().message, "failpoint a");
  EXPECT_TRUE(FailsWith(Failpoint("b"), ErrorCode::kNoSpace));
  EXPECT_TRUE(FailsWith(Failpoint("a"), ErrorCode::kIo)) << "every hit";
}

TEST(Failpoint, TheNthHitOnly) {
  const ScopedFailpoints failpoints("a=error@3");
  EXPECT_TRUE(IsOk(Failpoint("a")));
  EXPECT_TRUE(IsOk(Failpoint("a")));
  EXPECT_FALSE(Failpoint("a"));
  EXPECT_TRUE(IsOk(Failpoint("a")));
}

TEST(Failpoint, ASetReplacesAllAndCountsAnew) {
  ScopedFailpoints failpoints("a=error@1;b=error");
  EXPECT_FALSE(Failpoint("a"));
  failpoints.Set("a=error@1");
  EXPECT_FALSE(Failpoint("a"));
  EXPECT_TRUE(IsOk(Failpoint("b")));
  failpoints.Set("");
  EXPECT_TRUE(IsOk(Failpoint("a")));
}

TEST(Failpoint, ADelayIsNoError) {
  const ScopedFailpoints failpoints("a=delay:20");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(IsOk(Failpoint("a")));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(20));
}

TEST(Failpoint, AbortIsKillNine) {
  EXPECT_EXIT(
      {
        Must(SetFailpoints("a=abort"));
        (void)Failpoint("a");
      },
      ::testing::KilledBySignal(SIGKILL), "");
}

TEST(Failpoint, BadTextIsRefusedAndChangesNothing) {
  const ScopedFailpoints failpoints("a=error");
  for (const char* bad : {"a", "=error", "a=", "a=explode", "a=error@", "a=error@x",
                          "a=delay:", "a=delay:5x", "a=delay", "b=error;a"}) {
    EXPECT_TRUE(FailsWith(SetFailpoints(bad), ErrorCode::kInvalidArgument)) << bad;
    EXPECT_FALSE(Failpoint("a")) << bad;
  }
  EXPECT_TRUE(IsOk(SetFailpoints(";;c=error;")));
}

TEST(Failpoint, TheEnvironmentMaySetThem) {
  const ScopedFailpoints failpoints;
  ::unsetenv("SWITCHBACK_FAILPOINTS");
  EXPECT_TRUE(IsOk(SetFailpointsFromEnvironment()));
  ::setenv("SWITCHBACK_FAILPOINTS", "a=error", 1);
  EXPECT_TRUE(IsOk(SetFailpointsFromEnvironment()));
  EXPECT_FALSE(Failpoint("a"));
  ::setenv("SWITCHBACK_FAILPOINTS", "nonsense", 1);
  EXPECT_FALSE(SetFailpointsFromEnvironment());
  ::unsetenv("SWITCHBACK_FAILPOINTS");
}

}  // namespace
}  // namespace switchback
