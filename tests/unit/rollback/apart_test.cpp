#include "rollback/apart.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <vector>

#include "tests/support/expect_ok.hpp"

namespace switchback {
namespace {

using test::FailsWith;
using test::IsOk;

class ApartTest : public ::testing::Test {
 protected:
  Status Run(const std::function<Status(const ApartWriter&)>& work) {
    return RunApart(work, [this](std::string_view frame) -> Status {
      frames_.emplace_back(frame);
      return {};
    });
  }
  std::vector<std::string> frames_;
};

TEST_F(ApartTest, GivesWhatTheChildSays) {
  const std::string large(1 << 20, 'l');

  EXPECT_TRUE(IsOk(Run([&](const ApartWriter& writer) -> Status {
    SB_RETURN_IF_ERROR(writer.Write(""));
    return writer.Write(large);
  })));

  EXPECT_EQ(frames_, (std::vector<std::string>{"", large}));
}

TEST_F(ApartTest, GivesTheErrorOfTheChild) {
  const Status status =
      Run([](const ApartWriter&) -> Status { return Fail(ErrorCode::kIo, "broken"); });

  ASSERT_TRUE(FailsWith(status, ErrorCode::kIo));
  EXPECT_EQ(status.error().message, "broken");
}

TEST_F(ApartTest, OutlivesAChildThatCrashesAndKeepsWhatItHadSaid) {
  const Status status = Run([](const ApartWriter& writer) -> Status {
    SB_RETURN_IF_ERROR(writer.Write("before"));
    ::raise(SIGKILL);
    return {};
  });

  EXPECT_TRUE(FailsWith(status, ErrorCode::kCorruption));
  EXPECT_EQ(frames_, std::vector<std::string>{"before"});
}

TEST_F(ApartTest, EndsAChildThatIsNotWantedAnyMore) {
  const Status status = RunApart(
      [](const ApartWriter& writer) -> Status {
        while (true) SB_RETURN_IF_ERROR(writer.Write("on and on"));
      },
      [](std::string_view) -> Status { return Fail(ErrorCode::kCancelled, "enough"); });

  EXPECT_TRUE(FailsWith(status, ErrorCode::kCancelled));
}

}  // namespace
}  // namespace switchback
