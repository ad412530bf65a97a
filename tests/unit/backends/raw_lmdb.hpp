// An LMDB environment as any other program would make and read it, without our code.
#pragma once

#include <gtest/gtest.h>
#include <lmdb.h>

#include <filesystem>
#include <map>
#include <string>

namespace switchback {

// Open no longer than needed: LMDB allows one handle on an environment in a process.
class RawLmdb {
 public:
  explicit RawLmdb(const std::string& path, unsigned flags = 0, std::size_t map_bytes = 4 << 20) {
    if ((flags & MDB_NOSUBDIR) == 0) std::filesystem::create_directories(path);
    Expect(mdb_env_create(&env_));
    Expect(mdb_env_set_maxdbs(env_, 32));
    Expect(mdb_env_set_mapsize(env_, map_bytes));
    Expect(mdb_env_open(env_, path.c_str(), flags, 0640));
    Expect(mdb_txn_begin(env_, nullptr, 0, &txn_));
  }
  ~RawLmdb() {
    Expect(mdb_txn_commit(txn_));
    mdb_env_close(env_);
  }
  RawLmdb(const RawLmdb&) = delete;
  RawLmdb& operator=(const RawLmdb&) = delete;

  // A null name is the main database.
  void Put(const char* database, std::string key, std::string value, unsigned flags = 0) {
    MDB_dbi dbi = 0;
    Expect(mdb_dbi_open(txn_, database, database == nullptr ? flags : flags | MDB_CREATE, &dbi));
    MDB_val k{key.size(), key.data()};
    MDB_val v{value.size(), value.data()};
    Expect(mdb_put(txn_, dbi, &k, &v, 0));
  }
  // What mdb_dump would show: records by database, databases' own records left out.
  std::map<std::string, std::string> Dump(const char* database) {
    std::map<std::string, std::string> records;
    MDB_dbi dbi = 0;
    MDB_cursor* cursor = nullptr;
    if (mdb_dbi_open(txn_, database, 0, &dbi) != MDB_SUCCESS) return {{"no such", "database"}};
    Expect(mdb_cursor_open(txn_, dbi, &cursor));
    MDB_val key{};
    MDB_val value{};
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == MDB_SUCCESS) {
      records.emplace(std::string(static_cast<char*>(key.mv_data), key.mv_size),
                      std::string(static_cast<char*>(value.mv_data), value.mv_size));
    }
    mdb_cursor_close(cursor);
    return records;
  }
  std::size_t MapBytes() {
    MDB_envinfo info{};
    Expect(mdb_env_info(env_, &info));
    return info.me_mapsize;
  }

 private:
  static void Expect(int error) { EXPECT_EQ(error, MDB_SUCCESS) << mdb_strerror(error); }

  MDB_env* env_ = nullptr;
  MDB_txn* txn_ = nullptr;
};

}  // namespace switchback
