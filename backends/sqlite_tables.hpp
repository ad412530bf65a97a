// Which table holds which collection. SQLite's table names ignore case and may not begin with
// "sqlite_", collections' names do neither, so that a table of ours remembers the pairs. A table
// has its collection's own name whenever that is free, for the people who open the file with a
// tool.
//
// Thread-safety: Find from any thread. The rest from the thread that writes; Load and Clear
// moreover only while no reader is active.
#pragma once

#include <sqlite3.h>

#include <array>
#include <atomic>
#include <deque>
#include <string>
#include <vector>

#include "backends/backend.hpp"

namespace switchback {

class SqliteTables {
 public:
  // `catalog` outlives this object and learns the names found.
  explicit SqliteTables(CollectionCatalog& catalog);

  // Forgets everything, then reads the pairs and looks for tables that are not ours. Errors: kIo,
  // kCorruption, kBusy.
  Status Load(sqlite3* db);
  void Clear();

  // The table's name; null when the collection has none in any snapshot. One that was found may yet
  // be missing in a reader's snapshot: names are published before their transaction commits, so
  // that no snapshot that holds a table misses it.
  [[nodiscard]] const std::string* Find(const Collection& collection) const noexcept {
    return names_[collection.index].load(std::memory_order_acquire);
  }

  // For writing, inside a transaction. Null from Existing when there is none yet.
  [[nodiscard]] const std::string* Existing(const Collection& collection) const;
  Result<const std::string*> OpenForWrite(sqlite3* db, const Collection& collection);
  // The two tables of ours, made when they are missing.
  Status EnsureOwnTables(sqlite3* db);
  [[nodiscard]] bool HasOwnTables() const { return has_own_tables_; }
  // After the transaction: it committed, or not.
  void KeepMade();
  void ForgetMade();
  // The tables that hold collections, by name.
  [[nodiscard]] std::vector<std::string> ExistingNames() const;
  // Indexes of the collections whose tables were made in this transaction.
  [[nodiscard]] const std::vector<std::uint32_t>& made() const { return made_; }

  // As found by Load.
  [[nodiscard]] const std::vector<UnservableCollection>& unservable() const { return unservable_; }
  // Tables and views there are now that neither Switchback nor a migration made: while versions of
  // the schema are applied all others are taken for the migrations' own.
  static Result<std::vector<UnservableCollection>> FindForeign(sqlite3* db);

 private:
  Status LoadPairs(sqlite3* db);
  Result<std::string> ChooseName(sqlite3* db, const std::string& collection);
  const std::string* Publish(const Collection& collection, std::string name);

  CollectionCatalog& catalog_;
  std::array<std::atomic<const std::string*>, kCollectionCountMax> names_;
  std::array<bool, kCollectionCountMax> exists_{};
  std::deque<std::string> storage_;  // a deque does not move its strings
  std::vector<std::uint32_t> made_;
  bool has_own_tables_ = false;
  bool made_own_tables_ = false;
  std::vector<UnservableCollection> unservable_;
};

// SQL names of the tables of ours: kReservedName holds the state, the others the pairs and, once
// there are any, the versions of the schema (backends/sqlite_schema.hpp).
inline constexpr const char* kSqliteStateTable = "__switchback";
inline constexpr const char* kSqlitePairsTable = "__switchback_collections";
inline constexpr const char* kSqliteSchemaTable = "__switchback_schema";

// Whether there is a table or index of this name, in any case.
Result<bool> HasSqliteName(sqlite3* db, const std::string& name);

}  // namespace switchback
