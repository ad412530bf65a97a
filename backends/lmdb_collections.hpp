// Which collections an LMDB environment holds, and the handle of each. LMDB keeps a named database
// as a special record of the main database, so that this class also answers whether a key of the
// main database is such a record.
//
// Thread-safety: Find, IsDatabase and Names from any thread. The rest from the thread that writes;
// Scan and Clear moreover only while no reader is active.
#pragma once

#include <lmdb.h>

#include <array>
#include <atomic>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.hpp"
#include "common/sync.hpp"

namespace switchback {

// Why a database with these flags is not a plain set of records in byte order; "" when it is one.
std::string LmdbReasonAgainst(unsigned flags);

class LmdbCollections {
 public:
  // No MDB_dbi of LMDB's has this value.
  static constexpr MDB_dbi kNone = ~MDB_dbi{0};
  // LMDB's MAIN_DBI, what opening a null name gives.
  static constexpr MDB_dbi kMainDbi = 1;

  // `catalog` outlives this object and learns the names found.
  explicit LmdbCollections(CollectionCatalog& catalog);

  // Forgets everything, then finds the databases visible in `txn`, a read transaction, and opens
  // them. The handles are good once the caller has committed `txn`. Errors: kTooLarge (too many
  // databases), kRefused (kReservedName is taken by something else), kIo, kCorruption.
  Status Scan(MDB_txn* txn) SB_EXCLUDES(mutex_);
  void Clear() SB_EXCLUDES(mutex_);

  // kNone when the collection does not exist. A few nanoseconds.
  [[nodiscard]] MDB_dbi Find(const Collection& collection) const noexcept {
    const MDB_dbi dbi = dbis_[collection.index].load(std::memory_order_acquire);
    if (dbi != kNone) [[likely]]
      return dbi;
    return collection.name == kMainCollectionName ? main_dbi() : kNone;
  }
  [[nodiscard]] MDB_dbi state_dbi() const noexcept {
    return state_dbi_.load(std::memory_order_acquire);
  }
  // kNone when the main database cannot be served.
  [[nodiscard]] MDB_dbi main_dbi() const noexcept {
    return main_dbi_.load(std::memory_order_acquire);
  }
  [[nodiscard]] static bool IsMain(MDB_dbi dbi) noexcept { return dbi == kMainDbi; }

  // Whether `key` of the main database stands for a named database, and not for a record.
  [[nodiscard]] bool IsDatabase(std::string_view key) const SB_EXCLUDES(mutex_);
  // A database's record has exactly this size, so that nearly every record is told apart without
  // the lock. (Source: sizeof(MDB_db) in mdb.c; part of the file format.)
  static constexpr std::size_t kDatabaseRecordBytes = 48;
  // Every named database: collections, unservable ones and our own. Sorted.
  [[nodiscard]] std::vector<std::string> Names() const SB_EXCLUDES(mutex_);
  [[nodiscard]] bool IsServable(const std::string& name) const;

  // The handle for writing; makes the database inside `txn`, a write transaction, when there is
  // none. Made ones are seen by Find only after PublishMade. Errors: kRefused (unservable),
  // kInvalidArgument (a record of the main database has that key), kTooLarge, kIo.
  Result<MDB_dbi> OpenForWrite(MDB_txn* txn, const Collection& collection) SB_EXCLUDES(mutex_);
  Result<MDB_dbi> OpenStateForWrite(MDB_txn* txn) SB_EXCLUDES(mutex_);
  [[nodiscard]] bool HasMade(const Collection& collection) const;
  [[nodiscard]] bool HasMade() const { return !made_.empty() || made_state_dbi_ != kNone; }
  // After the transaction: it committed, or not. LMDB itself has closed the handles in that case.
  void PublishMade();
  void ForgetMade() SB_EXCLUDES(mutex_);
  // After the state's database was dropped. Needs a closed gate.
  void ForgetState() SB_EXCLUDES(mutex_);

  [[nodiscard]] const std::vector<UnservableCollection>& unservable() const { return unservable_; }

 private:
  struct Made {
    const Collection* collection;
    MDB_dbi dbi;
  };

  Status ScanMain(MDB_txn* txn);
  Status ScanNamed(MDB_txn* txn);
  Status AddDatabase(MDB_txn* txn, const std::string& name, MDB_dbi dbi);
  Result<MDB_dbi> Make(MDB_txn* txn, const std::string& name) SB_EXCLUDES(mutex_);

  CollectionCatalog& catalog_;
  std::array<std::atomic<MDB_dbi>, kCollectionCountMax> dbis_;
  std::atomic<MDB_dbi> main_dbi_{kNone};
  std::atomic<MDB_dbi> state_dbi_{kNone};
  std::vector<Made> made_;
  MDB_dbi made_state_dbi_ = kNone;
  std::vector<UnservableCollection> unservable_;
  mutable Mutex mutex_;
  std::set<std::string, std::less<>> names_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
