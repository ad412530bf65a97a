// The flag, the migration, the way back.
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "tests/unit/capi/capi_world.hpp"

namespace switchback::test {
namespace {

using Json = nlohmann::json;

class CapiControlTest : public CapiTest {
 protected:
  [[nodiscard]] std::string FlagsPath() const { return data_dir_ + "/flags.json"; }
  Json Status() { return Json::parse(Text(switchback_status_json)); }
};

TEST_F(CapiControlTest, TheFlagIsSetAndFollowed) {
  Open();
  ASSERT_TRUE(IsDone(Put("k", "1")));
  EXPECT_EQ(Effective(), 0);

  EXPECT_TRUE(IsDone(switchback_set_percentage(db_, 25)));
  double effective = 0;
  double desired = 0;
  EXPECT_TRUE(IsDone(switchback_get_percentage(db_, &effective, &desired)));
  EXPECT_EQ(effective, 25);
  EXPECT_EQ(desired, 25);
  EXPECT_TRUE(IsDone(switchback_set_percentage(db_, 100)));
  EXPECT_EQ(Effective(), 100);
  EXPECT_EQ(Get("k"), "1");
  ASSERT_TRUE(IsDone(Put("k", "2")));

  EXPECT_TRUE(IsDone(switchback_set_percentage(db_, 0)));

  EXPECT_EQ(Effective(), 0);
  EXPECT_EQ(Get("k"), "2") << "nothing is lost";
  EXPECT_EQ(Json::parse(ReadBytes(FlagsPath()))["USE_UNIFIED_DB_SERVICE"]["enabled"], false);
}

TEST_F(CapiControlTest, AnEditOfTheFileCounts) {
  Open();
  EXPECT_TRUE(Says(switchback_reload_flags(db_), SWITCHBACK_NOT_FOUND, "flags.json"));

  WriteBytes(FlagsPath(), R"({"USE_UNIFIED_DB_SERVICE": true})");
  EXPECT_TRUE(IsDone(switchback_reload_flags(db_)));
  EXPECT_EQ(Effective(), 100);

  WriteBytes(FlagsPath(), "{");
  EXPECT_TRUE(Says(switchback_reload_flags(db_), SWITCHBACK_INVALID_ARGUMENT, "flags.json"));
  EXPECT_EQ(Effective(), 100) << "the last good content stays in force";
  EXPECT_TRUE(Says(switchback_set_percentage(db_, 0), SWITCHBACK_INVALID_ARGUMENT));
}

TEST_F(CapiControlTest, APercentageIsZeroToAHundred) {
  Open();
  for (const double wrong : {-1.0, 100.5, std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity()})
    EXPECT_TRUE(
        Says(switchback_set_percentage(db_, wrong), SWITCHBACK_INVALID_ARGUMENT, "0 to 100"));
  EXPECT_FALSE(std::filesystem::exists(FlagsPath()));
}

TEST_F(CapiControlTest, RollbackSendsEveryKeyToLegacyAndTurnsTheFlagOff) {
  Open();
  ASSERT_TRUE(IsDone(switchback_set_percentage(db_, 100)));
  ASSERT_TRUE(IsDone(Put("k", "written on unified")));

  EXPECT_TRUE(IsDone(switchback_rollback_now(db_, "a test", 1000)));

  EXPECT_EQ(Effective(), 0);
  EXPECT_EQ(Get("k"), "written on unified");
  EXPECT_EQ(ReadBytes(FlagsPath()).find("true"), std::string::npos) << ReadBytes(FlagsPath());
  const Json status = Status();
  EXPECT_EQ(status["rollback"]["final_status"], "SUCCESS") << status["rollback"];
  EXPECT_EQ(status["rollback"]["reason"], "a test");
  EXPECT_EQ(status["latched"], nullptr);
  EXPECT_TRUE(IsDone(switchback_set_percentage(db_, 100))) << "and forward again";
  EXPECT_EQ(Effective(), 100);
}

TEST_F(CapiControlTest, WhatTheFileCannotSayHoldsUntilItIsLetGo) {
  Open();
  ASSERT_TRUE(IsDone(switchback_set_percentage(db_, 100)));
  const std::string good = ReadBytes(FlagsPath());
  WriteBytes(FlagsPath(), "{");

  EXPECT_TRUE(IsDone(switchback_rollback_now(db_, nullptr, 0)));
  EXPECT_EQ(Effective(), 0);
  EXPECT_EQ(Status()["latched"]["cause"], "operator");
  Close();
  WriteBytes(FlagsPath(), "{");
  Open();
  EXPECT_EQ(Effective(), 0) << "over a restart, too";
  WriteBytes(FlagsPath(), good);
  (void)switchback_reload_flags(db_);

  while (switchback_rearm(db_) == SWITCHBACK_OK) {
  }

  EXPECT_TRUE(Says(switchback_rearm(db_), SWITCHBACK_NOT_FOUND));
  EXPECT_EQ(Status()["latched"], nullptr);
}

TEST_F(CapiControlTest, MigratesAnEnvironmentThatWasThere) {
  const std::string legacy = dir_.File("legacy");
  MakeLegacy(legacy, 500);
  options_.legacy_path = legacy.c_str();
  Open();
  EXPECT_EQ(Get("7"), "7");
  EXPECT_TRUE(Says(switchback_set_percentage(db_, 100), SWITCHBACK_REFUSED));
  EXPECT_FALSE(std::filesystem::exists(FlagsPath())) << "a refused flag is not written";

  EXPECT_TRUE(IsDone(switchback_migration_start(db_)));
  EXPECT_TRUE(IsDone(switchback_migration_wait(db_, 60000)));

  const Json migration = Json::parse(Text(switchback_migration_json));
  EXPECT_EQ(migration["state"], "complete");
  EXPECT_EQ(migration["records_done"], 500);
  EXPECT_EQ(migration["verify"]["outcome"], "clean");
  EXPECT_TRUE(IsDone(switchback_set_percentage(db_, 100)));
  EXPECT_EQ(Effective(), 100);
  EXPECT_EQ(Get("499"), "499");
  EXPECT_EQ(Scan("").size(), 500u);
}

TEST_F(CapiControlTest, AMigrationPausesGoesOnAndIsGivenUp) {
  const std::string legacy = dir_.File("legacy");
  // So many that it is not over before it is paused.
  MakeLegacy(legacy, 100000);
  options_.legacy_path = legacy.c_str();
  Open();
  EXPECT_TRUE(Says(switchback_migration_pause(db_), SWITCHBACK_REFUSED));
  EXPECT_TRUE(Says(switchback_migration_wait(db_, 0), SWITCHBACK_NOT_FOUND, "start"));

  ASSERT_TRUE(IsDone(switchback_migration_start(db_)));
  ASSERT_TRUE(IsDone(switchback_migration_pause(db_)));
  EXPECT_TRUE(Says(switchback_migration_wait(db_, 60000), SWITCHBACK_REFUSED, "paused"));
  ASSERT_TRUE(IsDone(switchback_migration_resume(db_)));
  ASSERT_TRUE(IsDone(switchback_migration_cancel(db_)));

  EXPECT_TRUE(Says(switchback_migration_wait(db_, 60000), SWITCHBACK_REFUSED, "rolled-back"));
}

TEST_F(CapiControlTest, StatusSaysHowEverythingStands) {
  Open();
  ASSERT_TRUE(IsDone(Put("k", "v")));

  const Json status = Status();

  for (const char* member : {"version", "stage", "routing", "followers", "memtable", "log",
                             "writes", "flags", "migration", "rollback", "guard", "latched"})
    EXPECT_TRUE(status.contains(member)) << member;
  EXPECT_EQ(status["version"], switchback_version());
  EXPECT_EQ(status["writes"]["count"], 1);
}

TEST_F(CapiControlTest, TheGuardWatchesUnlessItIsNotWanted) {
  Open();
  EXPECT_EQ(Status()["guard"]["state"], "watching");
  Close();
  options_.without_guard = 1;

  Open();

  EXPECT_EQ(Status()["guard"]["state"], "off");
}

TEST_F(CapiControlTest, NullIsSaid) {
  const auto wrong = SWITCHBACK_INVALID_ARGUMENT;
  char* text = reinterpret_cast<char*>(this);

  EXPECT_TRUE(Says(switchback_get_percentage(nullptr, nullptr, nullptr), wrong, "db"));
  EXPECT_TRUE(Says(switchback_set_percentage(nullptr, 1), wrong, "db"));
  EXPECT_TRUE(Says(switchback_reload_flags(nullptr), wrong, "db"));
  EXPECT_TRUE(Says(switchback_rollback_now(nullptr, nullptr, 0), wrong, "db"));
  EXPECT_TRUE(Says(switchback_rearm(nullptr), wrong, "db"));
  EXPECT_TRUE(Says(switchback_migration_start(nullptr), wrong, "db"));
  EXPECT_TRUE(Says(switchback_migration_wait(nullptr, 0), wrong, "db"));
  EXPECT_TRUE(Says(switchback_migration_pause(nullptr), wrong, "db"));
  EXPECT_TRUE(Says(switchback_migration_resume(nullptr), wrong, "db"));
  EXPECT_TRUE(Says(switchback_migration_cancel(nullptr), wrong, "db"));
  EXPECT_TRUE(Says(switchback_migration_json(nullptr, &text), wrong, "db"));
  EXPECT_EQ(text, nullptr);
  Open();
  EXPECT_TRUE(Says(switchback_status_json(db_, nullptr), wrong, "json"));
  EXPECT_TRUE(IsDone(switchback_get_percentage(db_, nullptr, nullptr)));
}

}  // namespace
}  // namespace switchback::test
