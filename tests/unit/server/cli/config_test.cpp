#include "server/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/unit/server/http/scratch_folder.hpp"

namespace switchback {
namespace {

using testing::HasSubstr;

TEST(Config, NamesWhoIsNotified) {
  ServerConfig config;

  const Status applied = ApplyConfigText(
      R"({"notifications": [{"kind": "command", "argv": ["/bin/true"]}],
          "notification-retry": {"ms_min": 7}})",
      config);

  ASSERT_TRUE(applied) << applied.error().message;
  ASSERT_EQ(config.notifications.size(), 1u);
  EXPECT_EQ(config.notifications[0].name, "command-1");
  EXPECT_EQ(config.notification_retry.delay_min, std::chrono::milliseconds(7));
  const Status wrong =
      ApplyConfigText(R"({"notifications": [{"kind": "webhook", "url": "x:y"}]})", config);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("\"notifications\": sink 1: \"url\""));
}

TEST(Config, EveryKeyIsRead) {
  ServerConfig config;

  const Status applied = ApplyConfigText(R"({
    "$schema": "ignored", "data_dir": "/d", "legacy": "/l", "unified": "/u", "ack": "stores",
    "value_bytes_max": 1000, "memtable_bytes_max": 2000000, "memtable_record_count_max": 3000,
    "log_file_bytes": 4000000, "log_bytes_max": 50000000, "flags": "/f", "bind": "::1",
    "port": 1, "http_port": 2, "threads": 3, "clients_max": 4, "output_bytes_max": 100000,
    "password_file": "/p", "token_file": "/t", "allowed_hosts": ["a", "b"],
    "collections": {"0": "zero", "20": "twenty"}, "drain_ms_max": 5, "log_level": "debug",
    "log_format": "json", "schema_dir": "/s", "schema_copies_max": 2, "schema_ms_max": 1000,
    "backup_dir": "/b", "backup_compression": 7, "backup_bytes_per_second": 5,
    "backup_free_bytes_min": 6, "backup_interval_seconds": 3600,
    "backup_retention": {"days": 7, "count": 9, "keep_min": 2, "daily": 1, "weekly": 2,
                         "monthly": 3}})",
                                         config);

  ASSERT_TRUE(applied.has_value()) << applied.error().message;
  EXPECT_EQ(config.service.data_dir, "/d");
  EXPECT_EQ(config.service.legacy_path, "/l");
  EXPECT_EQ(config.service.unified_path, "/u");
  EXPECT_EQ(config.service.ack, AckMode::kStores);
  EXPECT_EQ(config.service.value_bytes_max, 1000u);
  EXPECT_EQ(config.service.memtable_bytes_max, 2000000u);
  EXPECT_EQ(config.service.memtable_record_count_max, 3000u);
  EXPECT_EQ(config.service.log_file_bytes, 4000000u);
  EXPECT_EQ(config.service.log_bytes_max, 50000000u);
  EXPECT_EQ(config.FlagsPath(), "/f");
  EXPECT_EQ(config.bind_address, "::1");
  EXPECT_EQ(config.port, 1);
  EXPECT_EQ(config.http_port, 2);
  EXPECT_EQ(config.threads, 3u);
  EXPECT_EQ(config.clients_max, 4u);
  EXPECT_EQ(config.output_bytes_max, 100000u);
  EXPECT_EQ(config.password_file, "/p");
  EXPECT_EQ(config.token_file, "/t");
  EXPECT_EQ(config.allowed_hosts, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config.numbered_collections,
            (std::map<unsigned, std::string>{{0, "zero"}, {20, "twenty"}}));
  EXPECT_EQ(config.drain_max, std::chrono::milliseconds(5));
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
  EXPECT_EQ(config.log_format, LogFormat::kJson);
  EXPECT_EQ(config.SchemaDirectory(), "/s");
  EXPECT_EQ(config.schema_copies_max, 2u);
  EXPECT_EQ(config.BackupDirectoryPath(), "/b");
  EXPECT_TRUE(config.backups.is_compressed);
  EXPECT_EQ(config.backups.compression_level, 7);
  EXPECT_EQ(config.backups.bytes_per_second, 5u);
  EXPECT_EQ(config.backups.space_margin_bytes, 6u);
  EXPECT_EQ(config.backups.interval, std::chrono::hours(1));
  EXPECT_EQ(config.backups.retention.age_max, std::chrono::hours(7 * 24));
  EXPECT_EQ(config.backups.retention.count_max, 9u);
  EXPECT_EQ(config.backups.retention.keep_min, 2u);
  EXPECT_EQ(config.backups.retention.daily, 1u);
  EXPECT_EQ(config.backups.retention.weekly, 2u);
  EXPECT_EQ(config.backups.retention.monthly, 3u);
  EXPECT_EQ(config.schema_time_max, std::chrono::milliseconds(1000));
}

TEST(Config, DashesInKeysAreUnderscores) {
  ServerConfig config;

  ASSERT_TRUE(ApplyConfigText(R"({"http-port": 7, "data-dir": "/d"})", config).has_value());

  EXPECT_EQ(config.http_port, 7);
  EXPECT_EQ(config.FlagsPath(), "/d/flags.json");
}

TEST(Config, NeverGuesses) {
  for (const char* text : {"",
                           "[]",
                           "{",
                           R"({"prot": 1})",
                           R"({"port": "1"})",
                           R"({"port": 65536})",
                           R"({"port": -1})",
                           R"({"port": 1.5})",
                           R"({"port": 1, "port": 2})",
                           R"({"http_port": 1, "http-port": 2})",
                           R"({"ack": "both"})",
                           R"({"threads": true})",
                           R"({"value_bytes_max": 0})",
                           R"({"memtable_bytes_max": 128})",
                           R"({"bind": 1})",
                           R"({"log_level": "loud"})",
                           R"({"log_format": "xml"})",
                           R"({"log_format": true})",
                           R"({"allowed_hosts": "a"})",
                           R"({"allowed_hosts": [""]})",
                           R"({"collections": ["a"]})",
                           R"({"collections": {"x": "a"}})",
                           R"({"collections": {"01": "a"}})",
                           R"({"collections": {"1024": "a"}})",
                           R"({"collections": {"1": "not a name"}})",
                           R"({"collections": {"1": "__switchback"}})"}) {
    ServerConfig config;
    const Status applied = ApplyConfigText(text, config);
    ASSERT_FALSE(applied.has_value()) << text;
    EXPECT_EQ(applied.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

TEST(Config, NamesTheKeyAndTheFileThatAreWrong) {
  const ScratchFolder folder;
  const std::string path = folder.Write("config.json", R"({"port": 70000})");
  ServerConfig config;

  const Status applied = ApplyConfigFile(path, config);
  const Status missing = ApplyConfigFile(folder.path() + "/none.json", config);

  ASSERT_FALSE(applied.has_value());
  EXPECT_THAT(applied.error().message, HasSubstr(path));
  EXPECT_THAT(applied.error().message,
              HasSubstr("\"port\": must be a whole number from 0 to 65535"));
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

class SecretsTest : public testing::Test {
 protected:
  void TearDown() override {
    ::unsetenv("SWITCHBACK_PASSWORD");
    ::unsetenv("SWITCHBACK_TOKEN");
  }
  const ScratchFolder folder_;
  ServerConfig config_;
};

TEST_F(SecretsTest, ComeFromFilesWithoutTheirLastLineBreak) {
  config_.password_file = folder_.Write("password", "pass word\n");
  config_.token_file = folder_.Write("token", "t0ken\r\n");

  ASSERT_TRUE(LoadSecrets(config_).has_value());

  EXPECT_EQ(config_.password, "pass word");
  EXPECT_EQ(config_.token, "t0ken");
}

TEST_F(SecretsTest, OfTheEnvironmentWin) {
  config_.password_file = folder_.Write("password", "of the file");
  ::setenv("SWITCHBACK_PASSWORD", "of the environment", 1);
  ::setenv("SWITCHBACK_TOKEN", "", 1);

  ASSERT_TRUE(LoadSecrets(config_).has_value());

  EXPECT_EQ(config_.password, "of the environment");
  EXPECT_EQ(config_.token, "");
}

TEST_F(SecretsTest, MustNotBeEmptyOrHoldControlCharacters) {
  for (const char* content : {"", "\n", "two\nlines", "a\tb"}) {
    config_.token_file = folder_.Write("token", content);
    EXPECT_FALSE(LoadSecrets(config_).has_value()) << content;
  }
  config_.token_file = folder_.path() + "/none";
  EXPECT_FALSE(LoadSecrets(config_).has_value());
}

ServerConfig Valid() {
  ServerConfig config;
  config.service.data_dir = "/d";
  return config;
}

TEST(CheckConfig, AcceptsLoopbackWithoutSecrets) {
  for (const char* address : {"127.0.0.1", "127.9.9.9", "::1", "localhost"}) {
    ServerConfig config = Valid();
    config.bind_address = address;
    EXPECT_TRUE(CheckConfig(config).has_value()) << address;
  }
}

TEST(CheckConfig, RefusesOtherAddressesWithoutPasswordAndToken) {
  for (const char* address : {"0.0.0.0", "::", "192.0.2.1", "2001:db8::1"}) {
    ServerConfig config = Valid();
    config.bind_address = address;
    ASSERT_FALSE(CheckConfig(config).has_value()) << address;
    EXPECT_EQ(CheckConfig(config).error().code, ErrorCode::kRefused);
    config.password = "p";
    EXPECT_FALSE(CheckConfig(config).has_value()) << address;
    config.token = "t";
    EXPECT_TRUE(CheckConfig(config).has_value()) << address;
  }
}

TEST(CheckConfig, RefusesWhatCannotBeServed) {
  ServerConfig nowhere;
  ServerConfig bad_address = Valid();
  bad_address.bind_address = "store.example";
  ServerConfig same_port = Valid();
  same_port.http_port = same_port.port;
  ServerConfig free_ports = Valid();
  free_ports.http_port = free_ports.port = 0;

  for (const ServerConfig& config : {nowhere, bad_address, same_port}) {
    ASSERT_FALSE(CheckConfig(config).has_value());
    EXPECT_EQ(CheckConfig(config).error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(CheckConfig(free_ports).has_value());
}

}  // namespace
}  // namespace switchback
