#include "server/flag_judge.hpp"

#include <gtest/gtest.h>

#include "common/log.hpp"
#include "flags/flag_parser.hpp"
#include "tests/unit/server/http/stub_service.hpp"

namespace switchback {
namespace {

FlagSnapshot SnapshotOf(std::uint64_t revision, std::string_view json) {
  SetLogLevel(LogLevel::kInfo);  // whatever tests before this one have set
  FlagSnapshot snapshot;
  snapshot.revision = revision;
  snapshot.is_from_file = true;
  snapshot.flags = ParseFlags(json).value_or(FlagMap{});
  return snapshot;
}

TEST(FlagJudge, HasEveryLoadJudgedAlsoWhenNothingChanged) {
  StubService service;
  FlagJudge judge(service);
  const auto snapshot = SnapshotOf(1, R"({"USE_UNIFIED_DB_SERVICE": true})");

  judge.OnLoad(snapshot);
  judge.OnLoad(snapshot);

  // A flip that was refused is asked for again by writing the same content once more.
  EXPECT_EQ(service.judged, 2);
}

TEST(FlagJudge, LogsARefusalOnce) {
  StubService service;
  service.may_apply = Fail(ErrorCode::kRefused, "unified is being filled");
  auto snapshot = SnapshotOf(1, R"({"USE_UNIFIED_DB_SERVICE": true})");
  service.flags().Publish(std::make_shared<FlagSnapshot>(snapshot));
  FlagJudge judge(service);

  testing::internal::CaptureStderr();
  judge.OnLoad(snapshot);
  judge.OnLoad(snapshot);
  const std::string log = testing::internal::GetCapturedStderr();

  const auto first = log.find("is refused: unified is being filled");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("is refused", first + 1), std::string::npos) << log;
}

TEST(FlagJudge, LogsARefusalOfANewRevisionAgain) {
  StubService service;
  service.may_apply = Fail(ErrorCode::kRefused, "unified is being filled");
  auto snapshot = SnapshotOf(1, R"({"USE_UNIFIED_DB_SERVICE": true})");
  service.flags().Publish(std::make_shared<FlagSnapshot>(snapshot));
  FlagJudge judge(service);

  testing::internal::CaptureStderr();
  judge.OnLoad(snapshot);
  snapshot.revision = 2;
  judge.OnLoad(snapshot);
  const std::string log = testing::internal::GetCapturedStderr();

  EXPECT_NE(log.find("flags revision 1"), std::string::npos) << log;
  EXPECT_NE(log.find("flags revision 2"), std::string::npos) << log;
}

}  // namespace
}  // namespace switchback
