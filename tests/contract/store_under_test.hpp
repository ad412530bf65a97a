// Each engine, as the contract suite needs it: open it again and again on the same store, be a
// foreign process that commits to it, name its failpoints.
#pragma once

#include <gtest/gtest.h>
#include <lmdb.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backends/lmdb_backend.hpp"
#include "backends/memory_backend.hpp"
#include "backends/sqlite_backend.hpp"
#include "common/failpoint.hpp"

namespace switchback {

// A directory below the system's temporary one, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "switchback-XXXXXX").string();
    const char* made = ::mkdtemp(pattern.data());
    EXPECT_NE(made, nullptr);
    path_ = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Runs `work` in a process of its own and gives its wait status.
inline int RunInChild(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(0);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

// Effects with the bytes they point at; copies share the bytes.
class EffectList {
 public:
  EffectList& Put(const Collection& collection, std::string key, std::string value) {
    const std::string& k = bytes_->emplace_back(std::move(key));
    const std::string& v = bytes_->emplace_back(std::move(value));
    effects_.push_back({EffectKind::kPut, &collection, k, v});
    return *this;
  }
  EffectList& Delete(const Collection& collection, std::string key) {
    const std::string& k = bytes_->emplace_back(std::move(key));
    effects_.push_back({EffectKind::kDelete, &collection, k, {}});
    return *this;
  }
  EffectList& Clear(const Collection& collection) {
    effects_.push_back({EffectKind::kClear, &collection, {}, {}});
    return *this;
  }
  [[nodiscard]] const std::vector<Effect>& effects() const { return effects_; }

 private:
  std::shared_ptr<std::deque<std::string>> bytes_ = std::make_shared<std::deque<std::string>>();
  std::vector<Effect> effects_;
};

// Failpoints of one test, off again at its end.
class ScopedFailpoints {
 public:
  explicit ScopedFailpoints(const std::string& specification) {
    EXPECT_TRUE(SetFailpoints(specification).has_value()) << specification;
  }
  ~ScopedFailpoints() { EXPECT_TRUE(SetFailpoints("").has_value()); }
  ScopedFailpoints(const ScopedFailpoints&) = delete;
  ScopedFailpoints& operator=(const ScopedFailpoints&) = delete;
};

class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual Result<std::unique_ptr<Backend>> Open(CollectionCatalog& catalog) = 0;
  // A commit by another process, to nothing that a collection holds.
  virtual void CommitForeign() = 0;
  // The failpoint of a step: begin, put, commit, committed, sync, read.
  [[nodiscard]] virtual std::string Point(const std::string& step) const = 0;
  [[nodiscard]] virtual bool IsOnDisk() const { return true; }
};

class MemoryUnderTest final : public StoreUnderTest {
 public:
  Result<std::unique_ptr<Backend>> Open(CollectionCatalog& catalog) override {
    return std::unique_ptr<Backend>(std::make_unique<MemoryBackend>(store_, catalog));
  }
  void CommitForeign() override { store_->CommitForeign("main", "foreign", "1"); }
  [[nodiscard]] std::string Point(const std::string& step) const override {
    const bool is_before = step == "begin" || step == "put";
    return "backend.memory." + (is_before ? std::string("apply") : step);
  }
  [[nodiscard]] bool IsOnDisk() const override { return false; }

 private:
  std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();
};

class LmdbUnderTest final : public StoreUnderTest {
 public:
  Result<std::unique_ptr<Backend>> Open(CollectionCatalog& catalog) override {
    LmdbOptions options;
    options.path = directory_.File("legacy");
    auto opened = LmdbBackend::Open(options, catalog);
    if (!opened) return Fail(opened.error());
    return std::unique_ptr<Backend>(*std::move(opened));
  }
  void CommitForeign() override {
    const int status = RunInChild([this] {
      std::filesystem::create_directories(directory_.File("legacy"));
      MDB_env* env = nullptr;
      MDB_txn* txn = nullptr;
      MDB_dbi dbi = 0;
      MDB_val key{7, const_cast<char*>("foreign")};
      MDB_val value{1, const_cast<char*>("1")};
      if (mdb_env_create(&env) != 0 ||
          mdb_env_open(env, directory_.File("legacy").c_str(), 0, 0600) != 0 ||
          mdb_txn_begin(env, nullptr, 0, &txn) != 0 || mdb_dbi_open(txn, nullptr, 0, &dbi) != 0 ||
          mdb_put(txn, dbi, &key, &value, 0) != 0 || mdb_txn_commit(txn) != 0) {
        ::_exit(1);
      }
    });
    ASSERT_EQ(status, 0);
  }
  [[nodiscard]] std::string Point(const std::string& step) const override { return "lmdb." + step; }

 private:
  TemporaryDirectory directory_;
};

class SqliteUnderTest final : public StoreUnderTest {
 public:
  Result<std::unique_ptr<Backend>> Open(CollectionCatalog& catalog) override {
    SqliteOptions options;
    options.path = directory_.File("unified.sqlite");
    auto opened = SqliteBackend::Open(options, catalog);
    if (!opened) return Fail(opened.error());
    return std::unique_ptr<Backend>(*std::move(opened));
  }
  void CommitForeign() override {
    const int status = RunInChild([this] {
      sqlite3* db = nullptr;
      if (sqlite3_open(directory_.File("unified.sqlite").c_str(), &db) != SQLITE_OK ||
          sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA user_version=7", nullptr, nullptr,
                       nullptr) != SQLITE_OK ||
          sqlite3_close(db) != SQLITE_OK) {
        ::_exit(1);
      }
    });
    ASSERT_EQ(status, 0);
  }
  [[nodiscard]] std::string Point(const std::string& step) const override {
    return "sqlite." + step;
  }

 private:
  TemporaryDirectory directory_;
};

}  // namespace switchback
