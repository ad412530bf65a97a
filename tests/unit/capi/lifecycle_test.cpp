// Opening, closing, options, errors.
#include <cstddef>
#include <filesystem>
#include <thread>

#include "tests/unit/capi/capi_world.hpp"

namespace switchback::test {
namespace {

class CapiLifecycleTest : public CapiTest {};

TEST_F(CapiLifecycleTest, WhatWasWrittenIsThereAfterOpeningAgain) {
  Open();
  ASSERT_TRUE(IsDone(Put("k", "v")));
  Close();

  Open();

  EXPECT_EQ(Get("k"), "v");
}

TEST_F(CapiLifecycleTest, TwoOpensOfOneDirectoryAreRefusedWithTheOwner) {
  Open();
  auto* second = reinterpret_cast<switchback_db*>(this);

  EXPECT_TRUE(
      Says(switchback_open(&options_, &second), SWITCHBACK_CONFLICT, std::to_string(::getpid())));

  EXPECT_EQ(second, nullptr);
  EXPECT_TRUE(IsDone(Put("k", "v"))) << "the first one goes on";
}

TEST_F(CapiLifecycleTest, NullIsSaid) {
  EXPECT_TRUE(Says(switchback_open(nullptr, &db_), SWITCHBACK_INVALID_ARGUMENT, "options is NULL"));
  EXPECT_TRUE(Says(switchback_open(&options_, nullptr), SWITCHBACK_INVALID_ARGUMENT, "db is NULL"));
  EXPECT_TRUE(IsDone(switchback_close(nullptr)));
  options_.data_dir = nullptr;
  EXPECT_TRUE(Says(switchback_open(&options_, &db_), SWITCHBACK_INVALID_ARGUMENT, "data_dir"));
  switchback_free(nullptr);
}

TEST_F(CapiLifecycleTest, OptionsOfAnotherSizeAreTakenOnlyWhereNothingIsLost) {
  options_.size = 0;
  EXPECT_TRUE(Says(switchback_open(&options_, &db_), SWITCHBACK_INVALID_ARGUMENT, "options.size"));
  options_.size = sizeof options_ - 1;
  EXPECT_TRUE(Says(switchback_open(&options_, &db_), SWITCHBACK_INVALID_ARGUMENT, "options.size"));
  options_.size = 1u << 20;
  EXPECT_TRUE(Says(switchback_open(&options_, &db_), SWITCHBACK_INVALID_ARGUMENT, "options.size"));

  struct Newer {
    switchback_options known;
    std::uint64_t unknown;
  } newer{options_, 1};
  newer.known.size = sizeof newer;
  EXPECT_TRUE(Says(switchback_open(&newer.known, &db_), SWITCHBACK_UNSUPPORTED, "header"));
  newer.unknown = 0;
  EXPECT_TRUE(IsDone(switchback_open(&newer.known, &db_)));
}

TEST_F(CapiLifecycleTest, WrongOptionsAreNamed) {
  const auto is_refused = [this](const char* name) {
    return Says(switchback_open(&options_, &db_), SWITCHBACK_INVALID_ARGUMENT, name);
  };
  const switchback_options good = options_;

  options_.ack = 2;
  EXPECT_TRUE(is_refused("options.ack"));
  options_ = good;
  options_.log_level = -1;
  EXPECT_TRUE(is_refused("options.log_level"));
  options_ = good;
  options_.without_guard = 7;
  EXPECT_TRUE(is_refused("options.without_guard"));
  options_ = good;
  options_.reserved = 1;
  EXPECT_TRUE(is_refused("options.reserved"));
  options_ = good;
  options_.memtable_bytes_max = 1;
  EXPECT_TRUE(is_refused("options.memtable_bytes_max"));
  options_ = good;
  options_.log_bytes_max = 1;
  EXPECT_TRUE(is_refused("options.log_bytes_max"));
  EXPECT_FALSE(std::filesystem::exists(data_dir_)) << "nothing is made of a wrong request";
}

TEST_F(CapiLifecycleTest, StoresAndFlagsMayLieElsewhere) {
  const std::string legacy = dir_.File("legacy");
  const std::string unified = dir_.File("u.sqlite");
  const std::string flags = dir_.File("flags.json");
  options_.legacy_path = legacy.c_str();
  MakeLegacy(legacy, 1);
  options_.unified_path = unified.c_str();
  options_.flags_path = flags.c_str();
  options_.ack = SWITCHBACK_ACK_STORES;
  Open();

  ASSERT_TRUE(IsDone(switchback_migration_start(db_)));
  ASSERT_TRUE(IsDone(switchback_migration_wait(db_, 60000)));
  ASSERT_TRUE(IsDone(switchback_set_percentage(db_, 100)));

  EXPECT_EQ(Get("0"), "0");
  EXPECT_TRUE(std::filesystem::exists(unified));
  EXPECT_NE(ReadBytes(flags).find("USE_UNIFIED_DB_SERVICE"), std::string::npos);
}

TEST_F(CapiLifecycleTest, ADirectoryThatCannotBeMadeIsSaid) {
  options_.data_dir = "/proc/switchback";

  EXPECT_NE(switchback_open(&options_, &db_), SWITCHBACK_OK);

  EXPECT_NE(std::string(switchback_error_message()).find("/proc/switchback"), std::string::npos);
}

TEST_F(CapiLifecycleTest, AnErrorBelongsToItsThread) {
  ASSERT_NE(switchback_open(nullptr, &db_), SWITCHBACK_OK);
  const std::string mine = switchback_error_message();

  std::thread([] {
    EXPECT_STREQ(switchback_error_message(), "");
    EXPECT_NE(switchback_batch_create(nullptr), SWITCHBACK_OK);
    EXPECT_NE(std::string(switchback_error_message()).find("batch"), std::string::npos);
  }).join();

  EXPECT_EQ(switchback_error_message(), mine);
}

// What programs were compiled with: it may only grow.
TEST_F(CapiLifecycleTest, OptionsLieWhereTheyAlwaysLay) {
  EXPECT_EQ(sizeof(switchback_options), 80u);
  EXPECT_EQ(offsetof(switchback_options, data_dir), 8u);
  EXPECT_EQ(offsetof(switchback_options, flags_path), 32u);
  EXPECT_EQ(offsetof(switchback_options, ack), 40u);
  EXPECT_EQ(offsetof(switchback_options, reserved), 52u);
  EXPECT_EQ(offsetof(switchback_options, value_bytes_max), 56u);
  EXPECT_EQ(offsetof(switchback_options, log_bytes_max), 72u);
}

TEST_F(CapiLifecycleTest, CodesHaveNames) {
  EXPECT_STREQ(switchback_code_name(SWITCHBACK_OK), "ok");
  EXPECT_STREQ(switchback_code_name(SWITCHBACK_INVALID_ARGUMENT), "invalid_argument");
  EXPECT_STREQ(switchback_code_name(SWITCHBACK_INTERNAL), "internal");
  for (const int number : {-1, 17, 1000})
    EXPECT_STREQ(switchback_code_name(static_cast<switchback_code>(number)), "unknown");
}

}  // namespace
}  // namespace switchback::test
