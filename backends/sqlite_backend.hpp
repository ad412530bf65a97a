// A Backend over a SQLite file: one table a collection, ordinary for any SQLite tool. What it adds
// are two tables whose names begin with kReservedName, a third once migrations of the schema were
// applied, and PATH.seal beside the file while closed.
//
// One connection writes and, on the same thread between its transactions, runs every checkpoint;
// readers' connections can neither write nor checkpoint (STORES.md 2: the WAL-reset bug).
//
// Failpoints: "sqlite.begin", "sqlite.put" (nothing applied), "sqlite.commit" (kUnknownOutcome,
// nothing applied; nospace: kNoSpace), "sqlite.committed" (kUnknownOutcome, all applied),
// "sqlite.checkpoint" (kUnknownOutcome, all applied), "sqlite.sync", "sqlite.read". Of migrations:
// "schema.space", "schema.copy", "schema.changed" (before the commit), "schema.validate" (finds
// something), "schema.putback".
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.hpp"
#include "backends/sql_store.hpp"
#include "backends/sqlite_database.hpp"
#include "backends/sqlite_effect_writer.hpp"

namespace switchback {

class SqliteBackend final : public Backend, private SqlStore {
 public:
  // Makes the file when there is none, and its collections known to `catalog`, which outlives the
  // backend. Errors: kCorruption (not a database), kUnsupported (state of a newer version), kBusy,
  // kIo.
  static Result<std::unique_ptr<SqliteBackend>> Open(SqliteOptions options,
                                                     CollectionCatalog& catalog);

  // Waits for active snapshots like Reopen, then leaves the file complete on its own: no -wal.
  ~SqliteBackend() override;
  SqliteBackend(const SqliteBackend&) = delete;
  SqliteBackend& operator=(const SqliteBackend&) = delete;

  [[nodiscard]] std::string_view engine() const override { return "sqlite"; }
  // Runs a checkpoint after the commit when the WAL has grown to SqliteOptions::checkpoint_pages.
  // kBusy moreover when another process holds the write lock. When a trigger that a migration made
  // fails for a record, triggers are switched off until the store is opened again or its schema
  // changes: a record must never be refused.
  Status Apply(std::span<const Effect> effects, const StoreState& state) override;
  // Syncs the WAL: with synchronous=NORMAL a commit is in the WAL but not forced to the disk, and
  // whatever has left the WAL was synced by the checkpoint that moved it. This is what
  // synchronous=FULL does at each commit, and unlike a checkpoint no reader can prevent it.
  Status MakeDurable() override;
  Result<StoreState> State() override;
  // Runs a checkpoint when nothing was applied since the previous call. Closes what MoveTo left.
  Status CheckAlone() override;
  // Reads the tables anew, since a foreign process may have made or dropped some.
  Status AcceptForeign() override;
  Status Reopen() override;
  // Removes the file, -wal and -shm, and makes a new one; but where migrations were applied it
  // keeps the file and what they made, and empties the collections in transactions of a bounded
  // size.
  Status Reset() override;
  // The database of before is left open, since closing it takes time that those who wait for this
  // call don't have. The next CheckAlone closes it; until then nobody may open it. It keeps its
  // -wal: a checkpoint would take the disk from those who write.
  Status MoveTo(const std::string& path) override;
  Status Detach() override;
  [[nodiscard]] const std::vector<UnservableCollection>& unservable() const override;
  Result<std::unique_ptr<ReadView>> NewReadView() override;
  BackendStats Stats() override;
  [[nodiscard]] SqlStore* sql_store() override { return this; }

 private:
  explicit SqliteBackend(std::shared_ptr<SqliteDatabase> database);

  // SqlStore (sqlite_backend_schema.cpp)
  Result<std::vector<SchemaVersion>> SchemaVersions() override;
  Status ChangeSchema(const SchemaChange& change, const SqlBudget& budget) override;
  Result<StoreReport> Validate(const SqlBudget& budget) override;
  Status CopyTo(const std::string& path, const SqlBudget& budget) override;
  Status PutBack(const std::string& path) override;

  Status CheckOpen() const;
  Result<bool> HasSchemaToKeep();
  Result<bool> EmptyCollections();
  Status EmptyTable(const std::string& table);
  Status OpenDatabase();
  Status OpenWriter();
  void CloseDatabase() noexcept;
  void DropStatements() noexcept;
  void CloseFormer() noexcept;
  Result<std::int64_t> DataVersion();
  Status CheckDataVersion();
  void MarkForeign();
  Status BeginWrite();
  Status WriteTransaction(std::span<const Effect> effects, const StoreState& state);
  bool SwitchTriggersOff();
  void SwitchTriggersOn();
  Status WriteState(const StoreState& state);
  Status Commit(const StoreState& state);
  void Rollback();
  Status CheckpointIfDue();
  Status RunCheckpoint();
  Status Checkpoint(int mode, bool& is_complete);
  Status SyncWal();
  Status RemoveFiles();
  Status Break(std::string message);
  static int OnWalGrown(void* self, sqlite3* db, const char* schema, int page_count);

  const std::shared_ptr<SqliteDatabase> database_;
  SqliteHandle db_;
  SqliteHandle former_;  // of the store before MoveTo
  std::unique_ptr<SqliteEffectWriter> writer_;
  StatementHandle write_state_;
  StatementHandle data_version_;
  std::int64_t data_version_last_ = 0;
  bool is_attached_ = false;  // there is a state, and so a foreign commit can be told
  bool is_foreign_ = false;
  bool is_broken_ = false;  // an outcome is unknown: nothing but Reopen
  bool is_detached_ = false;
  bool is_wal_suspect_ = false;  // a sync failed: what it covered must be written again
  bool has_applied_since_check_ = false;
  bool are_triggers_off_ = false;
  std::uint32_t wal_pages_ = 0;    // in the WAL after the newest commit
  std::uint32_t moved_pages_ = 0;  // of these, moved to the database already
  std::uint32_t checkpoint_at_pages_ = 0;
};

}  // namespace switchback
