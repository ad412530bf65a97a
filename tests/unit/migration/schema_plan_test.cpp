#include "migration/schema/schema_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_ok.hpp"

namespace switchback::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

SchemaFile File(std::uint64_t version) {
  const std::string number = std::to_string(version);
  return {version,      "v" + number, "up " + number,     "down " + number,
          "u" + number, "d" + number, number + ".up.sql", number + ".down.sql"};
}

SchemaVersion Applied(std::uint64_t version) {
  const std::string number = std::to_string(version);
  return {version, "v" + number, "u" + number, "d" + number, "then", "remembered down " + number};
}

class SchemaPlanTest : public testing::Test {
 protected:
  SchemaPlanTest() {
    for (std::uint64_t version = 1; version <= 4; ++version)
      files_.versions.push_back(File(version));
    for (std::uint64_t version = 1; version <= 2; ++version) applied_.push_back(Applied(version));
  }
  // What runs, in order.
  std::vector<std::string> Plan(SchemaGoal goal) {
    std::vector<std::string> texts;
    for (const SchemaChange& change : Must(PlanSchema(files_, applied_, goal)))
      texts.push_back(change.sql);
    return texts;
  }
  std::string Refusal(SchemaGoal goal) {
    const auto plan = PlanSchema(files_, applied_, goal);
    EXPECT_TRUE(FailsWith(plan, ErrorCode::kRefused));
    return plan ? "" : plan.error().message;
  }

  SchemaFiles files_;
  std::vector<SchemaVersion> applied_;
};

TEST_F(SchemaPlanTest, UpRunsWhatIsPending) {
  EXPECT_THAT(Plan({SchemaGoalKind::kUp, 0}), ElementsAre("up 3", "up 4"));
  EXPECT_THAT(Plan({SchemaGoalKind::kUp, 1}), ElementsAre("up 3"));
  EXPECT_THAT(Plan({SchemaGoalKind::kUp, 99}), ElementsAre("up 3", "up 4"));
}

TEST_F(SchemaPlanTest, DownRunsWhatTheStoreRemembersInReverse) {
  EXPECT_THAT(Plan({SchemaGoalKind::kDown, 2}),
              ElementsAre("remembered down 2", "remembered down 1"));
  EXPECT_TRUE(FailsWith(PlanSchema(files_, applied_, {SchemaGoalKind::kDown, 3}),
                        ErrorCode::kInvalidArgument));
}

TEST_F(SchemaPlanTest, ToGoesEitherWay) {
  EXPECT_THAT(Plan({SchemaGoalKind::kTo, 3}), ElementsAre("up 3"));
  EXPECT_THAT(Plan({SchemaGoalKind::kTo, 2}), IsEmpty());
  EXPECT_THAT(Plan({SchemaGoalKind::kTo, 0}),
              ElementsAre("remembered down 2", "remembered down 1"));
  EXPECT_TRUE(FailsWith(PlanSchema(files_, applied_, {SchemaGoalKind::kTo, 5}),
                        ErrorCode::kInvalidArgument));
}

TEST_F(SchemaPlanTest, AnEditedFileIsRefusedBothWays) {
  files_.versions[1].down_checksum = "edited";

  EXPECT_THAT(Refusal({SchemaGoalKind::kUp, 0}), HasSubstr("2.up.sql or 2.down.sql was edited"));
  EXPECT_THAT(Refusal({SchemaGoalKind::kDown, 1}), HasSubstr("edited"));
  EXPECT_EQ(CompareSchema(files_, applied_)[1].state, "edited");
}

TEST_F(SchemaPlanTest, FilesWithProblemsAreRefused) {
  files_.problems = {"0003_c.up.sql: has no .down.sql file"};

  EXPECT_THAT(Refusal({SchemaGoalKind::kUp, 0}), HasSubstr("has no .down.sql"));
}

TEST_F(SchemaPlanTest, AStoreThatIsNewerThanTheFilesOnlyGoesDown) {
  files_.versions.resize(1);

  EXPECT_THAT(Refusal({SchemaGoalKind::kUp, 0}), HasSubstr("the store has version 2"));
  EXPECT_THAT(Plan({SchemaGoalKind::kTo, 1}), ElementsAre("remembered down 2"));
  EXPECT_EQ(CompareSchema(files_, applied_)[1].state, "missing");
}

TEST_F(SchemaPlanTest, StatesAreListedInOrder) {
  std::vector<std::string> states;
  for (const auto& version : CompareSchema(files_, applied_)) states.push_back(version.state);

  EXPECT_THAT(states, ElementsAre("applied", "applied", "pending", "pending"));
}

}  // namespace
}  // namespace switchback::test
