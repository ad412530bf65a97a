#include "migration/migration_settings.hpp"

#include <gtest/gtest.h>

namespace switchback::test {
namespace {

TEST(MigrationSettings, JsonGoesRoundTrip) {
  MigrationSettings settings;
  settings.bytes_per_second = 12345;
  settings.p99_ratio_max = 1.5;
  settings.is_verified_after = false;

  MigrationSettings read;
  ASSERT_TRUE(ChangeMigrationSettings(MigrationSettingsToJson(settings), read).has_value());

  EXPECT_EQ(read, settings);
}

TEST(MigrationSettings, OnlyWhatIsNamedChanges) {
  MigrationSettings settings;
  settings.lag_ms_max = 7;

  ASSERT_TRUE(ChangeMigrationSettings(R"({"p99_ratio_max": 2})", settings).has_value());

  EXPECT_EQ(settings.lag_ms_max, 7u);
  EXPECT_EQ(settings.p99_ratio_max, 2);
}

TEST(MigrationSettings, AWrongSettingChangesNothing) {
  for (const char* text :
       {"[]", "{", R"({"typo": 1})", R"({"lag_ms_max": 1, "invalid_share_max": 1.1})",
        R"({"lag_ms_max": -1})", R"({"lag_ms_max": 1.5})", R"({"lag_ms_max": "1"})",
        R"({"is_verified_after": 1})", R"({"p99_ratio_max": null})"}) {
    MigrationSettings settings;
    const Status changed = ChangeMigrationSettings(text, settings);
    ASSERT_FALSE(changed.has_value()) << text;
    EXPECT_EQ(changed.error().code, ErrorCode::kInvalidArgument) << text;
    EXPECT_EQ(settings, MigrationSettings{}) << text;
  }
}

TEST(MigrationSettings, TheTimeLimitGrowsWithTheRecords) {
  MigrationSettings settings;
  EXPECT_EQ(settings.SecondsMax(0), 300u);
  EXPECT_EQ(settings.SecondsMax(9'999), 300u);
  EXPECT_EQ(settings.SecondsMax(1'000'000), 30'000u);
  settings.seconds_max = 5;
  EXPECT_EQ(settings.SecondsMax(1'000'000), 5u);
}

}  // namespace
}  // namespace switchback::test
