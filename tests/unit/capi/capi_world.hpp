// A data directory of a test's own, used through the C interface alone.
#pragma once

#include <gtest/gtest.h>
#include <lmdb.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/capi/switchback.h"
#include "tests/support/temp_dir.hpp"

namespace switchback::test {

// What a call said: its code, and the message when it failed.
inline ::testing::AssertionResult Says(switchback_code code, switchback_code expected,
                                       std::string_view words = "") {
  const std::string message = code == SWITCHBACK_OK ? "" : switchback_error_message();
  if (code != expected)
    return ::testing::AssertionFailure() << switchback_code_name(code) << " (" << message
                                         << "), expected " << switchback_code_name(expected);
  if (message.find(words) == std::string::npos)
    return ::testing::AssertionFailure() << "\"" << message << "\" has no \"" << words << "\"";
  return ::testing::AssertionSuccess();
}
inline ::testing::AssertionResult IsDone(switchback_code code) {
  return Says(code, SWITCHBACK_OK);
}

class CapiTest : public ::testing::Test {
 protected:
  CapiTest() {
    options_.size = sizeof options_;
    options_.data_dir = data_dir_.c_str();
    options_.log_level = SWITCHBACK_LOG_ERROR;
  }
  ~CapiTest() override { Close(); }

  void Open() { ASSERT_TRUE(IsDone(switchback_open(&options_, &db_))); }
  void Close() { EXPECT_TRUE(IsDone(switchback_close(std::exchange(db_, nullptr)))); }

  switchback_code Put(const std::string& key, std::string_view value) {
    return switchback_put(db_, "c", key.data(), key.size(), value.data(), value.size());
  }
  std::optional<std::string> Get(const std::string& key) { return GetFrom("c", key); }
  std::optional<std::string> GetFrom(const char* collection, const std::string& key) {
    void* value = nullptr;
    std::size_t size = 0;
    EXPECT_TRUE(IsDone(switchback_get(db_, collection, key.data(), key.size(), &value, &size)));
    if (value == nullptr) return std::nullopt;
    EXPECT_EQ(static_cast<const char*>(value)[size], '\0');
    std::string copy(static_cast<const char*>(value), size);
    switchback_free(value);
    return copy;
  }
  // What `give` (switchback_status_json, ...) says.
  std::string Text(switchback_code (*give)(switchback_db*, char**)) {
    char* text = nullptr;
    EXPECT_TRUE(IsDone(give(db_, &text)));
    std::string copy = text == nullptr ? "" : text;
    switchback_free(text);
    return copy;
  }
  double Effective() {
    double effective = -1;
    EXPECT_TRUE(IsDone(switchback_get_percentage(db_, &effective, nullptr)));
    return effective;
  }
  using Records = std::vector<std::pair<std::string, std::string>>;
  Records Scan(const std::string& prefix, const std::string& from = "", std::uint64_t limit = 0) {
    switchback_cursor* cursor = nullptr;
    EXPECT_TRUE(IsDone(switchback_scan(db_, "c", prefix.data(), prefix.size(), from.data(),
                                       from.size(), limit, &cursor)));
    Records records;
    const void* key = nullptr;
    const void* value = nullptr;
    std::size_t key_size = 0;
    std::size_t value_size = 0;
    while (switchback_cursor_next(cursor, &key, &key_size, &value, &value_size) == SWITCHBACK_OK &&
           key != nullptr) {
      records.emplace_back(std::string(static_cast<const char*>(key), key_size),
                           std::string(static_cast<const char*>(value), value_size));
    }
    switchback_cursor_free(cursor);
    return records;
  }

  // An environment as an application without Switchback has left it.
  static void MakeLegacy(const std::string& path, int count) {
    std::filesystem::create_directory(path);
    MDB_env* environment = nullptr;
    ASSERT_EQ(mdb_env_create(&environment), 0);
    ASSERT_EQ(mdb_env_set_maxdbs(environment, 4), 0);
    ASSERT_EQ(mdb_env_set_mapsize(environment, 64u << 20), 0);
    ASSERT_EQ(mdb_env_open(environment, path.c_str(), 0, 0600), 0);
    MDB_txn* transaction = nullptr;
    ASSERT_EQ(mdb_txn_begin(environment, nullptr, 0, &transaction), 0);
    MDB_dbi database = 0;
    ASSERT_EQ(mdb_dbi_open(transaction, "c", MDB_CREATE, &database), 0);
    for (int i = 0; i < count; ++i) {
      std::string text = std::to_string(i);
      MDB_val bytes{text.size(), text.data()};
      ASSERT_EQ(mdb_put(transaction, database, &bytes, &bytes, 0), 0);
    }
    ASSERT_EQ(mdb_txn_commit(transaction), 0);
    mdb_env_close(environment);
  }

  TempDir dir_;
  const std::string data_dir_ = dir_.File("data");
  switchback_options options_{};
  switchback_db* db_ = nullptr;
};

}  // namespace switchback::test
