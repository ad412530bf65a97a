#include "backends/sqlite_backend.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <utility>

#include "backends/sqlite_read_view.hpp"
#include "backends/sqlite_seal.hpp"
#include "backends/store_state_codec.hpp"
#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/file.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

constexpr std::uint32_t kDurableCheckpointPages = 256;

std::uint64_t SizeOfFile(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

std::int64_t ToSqliteInteger(std::uint64_t number) {
  SB_CHECK(number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()),
           "sequences fit SQLite's integers");
  return static_cast<std::int64_t>(number);
}

void LogLibrary() {
  LogInfo("SQLite {}: {}", sqlite3_libversion(),
          IsSingleWriterRuleNeeded(sqlite3_libversion_number())
              ? "has the WAL-reset bug; one connection writes and checkpoints, which avoids it"
              : "one connection writes and checkpoints");
}

}  // namespace

Result<std::unique_ptr<SqliteBackend>> SqliteBackend::Open(SqliteOptions options,
                                                           CollectionCatalog& catalog) {
  LogLibrary();
  SB_RETURN_IF_ERROR(MakeDirectories(ParentDirectory(options.path)));
  auto database = std::make_shared<SqliteDatabase>(std::move(options), catalog);
  std::unique_ptr<SqliteBackend> backend(new SqliteBackend(std::move(database)));
  SB_RETURN_IF_ERROR(backend->OpenDatabase());
  for (const auto& one : backend->unservable()) {
    LogWarning("SQLite table '{}' cannot be served and is left alone: {}", one.name, one.reason);
  }
  return backend;
}

SqliteBackend::SqliteBackend(std::shared_ptr<SqliteDatabase> database)
    : database_(std::move(database)) {}

SqliteBackend::~SqliteBackend() {
  if (auto closed = database_->gate.Close(kGateCloseWaitMax); closed) {
    database_->gate.Shut();
    database_->gate.DropAllHandles();
    database_->is_open = false;
  } else {
    LogError("SQLite close: {}; the WAL stays for them", closed.error().message);
  }
  CloseFormer();
  CloseDatabase();
}

// Behind a closed gate, or before any reader.
Status SqliteBackend::OpenDatabase() {
  const std::string& path = database_->options.path;
  SB_CHECK(db_ == nullptr, "a database opens once");
  const SealVerdict verdict = CheckSqliteSeal(path);
  if (auto opened = OpenWriter(); !opened) {
    DropStatements();
    db_.reset();
    return Fail(WithContext(opened.error(), "open SQLite database " + path));
  }
  is_foreign_ = verdict == SealVerdict::kForeign && is_attached_;
  // SQLite ignores errors when it syncs directories, and the WAL's name must be durable as well.
  SB_RETURN_IF_ERROR(SyncDirectory(ParentDirectory(path)));
  if (!is_foreign_) SB_RETURN_IF_ERROR(RemoveSqliteSeal(path));
  database_->is_open = true;
  return {};
}

Status SqliteBackend::OpenWriter() {
  auto db = OpenSqliteWriter(database_->options);
  if (!db) return Fail(db.error());
  db_ = *std::move(db);
  sqlite3_wal_hook(db_.get(), OnWalGrown, this);
  SB_RETURN_IF_ERROR(database_->tables.Load(db_.get()));
  auto state = ReadSqliteState(db_.get());
  if (!state) return Fail(state.error());
  is_attached_ = database_->tables.HasOwnTables();
  auto data_version = PrepareSqlite(db_.get(), "PRAGMA data_version");
  if (!data_version) return Fail(data_version.error());
  data_version_ = *std::move(data_version);
  auto version = DataVersion();
  if (!version) return Fail(version.error());
  data_version_last_ = *version;
  writer_ = std::make_unique<SqliteEffectWriter>(db_.get(), database_->tables);
  is_broken_ = false;
  are_triggers_off_ = false;
  checkpoint_at_pages_ = database_->options.checkpoint_pages;
  wal_pages_ = 0;
  moved_pages_ = 0;
  return {};
}

// The last connection's close runs a checkpoint and removes the WAL; TRUNCATE before it says
// whether that worked.
void SqliteBackend::CloseDatabase() noexcept {
  if (db_ == nullptr) return;
  bool is_complete = false;
  if (auto done = Checkpoint(SQLITE_CHECKPOINT_TRUNCATE, is_complete); !done) {
    LogWarning("SQLite checkpoint at close: {}", done.error().message);
  }
  DropStatements();
  db_.reset();
  if (is_attached_ && is_complete && !is_broken_ && !is_foreign_ && !is_detached_) {
    if (auto sealed = WriteSqliteSeal(database_->options.path); !sealed) {
      LogWarning("SQLite: {}", sealed.error().message);
    }
  }
}

void SqliteBackend::DropStatements() noexcept {
  writer_.reset();
  write_state_.reset();
  data_version_.reset();
}

void SqliteBackend::CloseFormer() noexcept {
  if (former_ != nullptr)
    sqlite3_db_config(former_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  former_.reset();
}

Status SqliteBackend::CheckOpen() const {
  if (is_broken_) {
    return Fail(ErrorCode::kUnknownOutcome, "SQLite: reopen first, an earlier outcome is unknown");
  }
  if (db_ == nullptr) return Fail(ErrorCode::kUnavailable, "SQLite: the database is not open");
  return {};
}

Status SqliteBackend::Break(std::string message) {
  is_broken_ = true;
  LogError("SQLite: {}; the store must be opened again", message);
  return Fail(ErrorCode::kUnknownOutcome, std::move(message));
}

int SqliteBackend::OnWalGrown(void* self, sqlite3* /*db*/, const char* /*schema*/, int page_count) {
  auto* backend = static_cast<SqliteBackend*>(self);
  const auto pages = static_cast<std::uint32_t>(page_count);
  if (pages < backend->wal_pages_) backend->moved_pages_ = 0;  // the WAL began anew
  backend->wal_pages_ = pages;
  return SQLITE_OK;
}

// Changes when another connection, of this process or not, has committed; never by our own commits.
Result<std::int64_t> SqliteBackend::DataVersion() {
  const StatementScope scope(data_version_.get());
  const int error = sqlite3_step(data_version_.get());
  if (error != SQLITE_ROW) return FailSqlite(db_.get(), "read data_version", error);
  return sqlite3_column_int64(data_version_.get(), 0);
}

void SqliteBackend::MarkForeign() {
  is_foreign_ = true;
  if (auto sealed = WriteForeignSqliteSeal(database_->options.path); !sealed) {
    LogWarning("SQLite: a restart will forget a foreign commit: {}", sealed.error().message);
  }
}

Status SqliteBackend::CheckDataVersion() {
  auto version = DataVersion();
  if (!version) return Fail(version.error());
  const bool has_changed = *version != data_version_last_;
  data_version_last_ = *version;
  if (has_changed && is_attached_ && !is_foreign_) MarkForeign();
  if (is_foreign_) {
    return Fail(ErrorCode::kForeignWrite, "another process has committed to the SQLite database");
  }
  return {};
}

// Also the moment to notice that writes pause. Pages in the WAL are read by pread, those in the
// database through the map, four times as fast: so what is left in the WAL is moved then.
Status SqliteBackend::CheckAlone() {
  CloseFormer();
  SB_RETURN_IF_ERROR(CheckOpen());
  SB_RETURN_IF_ERROR(CheckDataVersion());
  const bool is_idle = !has_applied_since_check_;
  has_applied_since_check_ = false;
  return is_idle && wal_pages_ > moved_pages_ ? RunCheckpoint() : Status{};
}

void SqliteBackend::Rollback() {
  // Some errors have ended the transaction already.
  if (sqlite3_get_autocommit(db_.get()) == 0) {
    if (auto undone = ExecuteSqlite(db_.get(), "ROLLBACK"); !undone) {
      LogWarning("SQLite: {}", undone.error().message);
      is_broken_ = true;
    }
  }
  writer_->ForgetMade();
  write_state_.reset();
  database_->tables.ForgetMade();
}

Status SqliteBackend::BeginWrite() {
  SB_RETURN_IF_ERROR(Failpoint("sqlite.begin"));
  SB_CHECK(sqlite3_get_autocommit(db_.get()) != 0, "one transaction at a time");
  SB_RETURN_IF_ERROR(ExecuteSqlite(db_.get(), "BEGIN IMMEDIATE"));
  // From here on nobody else can commit.
  return CheckDataVersion();
}

Status SqliteBackend::WriteState(const StoreState& state) {
  SB_RETURN_IF_ERROR(database_->tables.EnsureOwnTables(db_.get()));
  if (write_state_ == nullptr) {
    auto prepared = PrepareSqlite(
        db_.get(),
        "INSERT INTO __switchback(id, version, log_id, epoch, applied_sequence, is_filling,"
        " fill_collection, fill_key, collections) VALUES(1, ?8, ?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        " ON CONFLICT(id) DO UPDATE SET version = excluded.version, log_id = excluded.log_id,"
        " epoch = excluded.epoch, applied_sequence = excluded.applied_sequence,"
        " is_filling = excluded.is_filling, fill_collection = excluded.fill_collection,"
        " fill_key = excluded.fill_key, collections = excluded.collections");
    if (!prepared) return Fail(prepared.error());
    write_state_ = *std::move(prepared);
  }
  sqlite3_stmt* row = write_state_.get();
  const StatementScope scope(row);
  const auto bind_text = [&](int index, const std::string& text) {
    sqlite3_bind_text(row, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  };
  bind_text(1, state.log_id);
  sqlite3_bind_int64(row, 2, ToSqliteInteger(state.epoch));
  sqlite3_bind_int64(row, 3, ToSqliteInteger(state.applied_sequence));
  sqlite3_bind_int64(row, 4, state.is_filling ? 1 : 0);
  bind_text(5, state.fill_collection);
  BindSqliteBlob(row, 6, state.fill_key);
  const std::string collections = JoinCollectionNames(state.collections);
  bind_text(7, collections);
  sqlite3_bind_int64(row, 8, StateVersionOf(state));
  const int error = sqlite3_step(row);
  if (error != SQLITE_DONE) return FailSqlite(db_.get(), "write the store's state", error);
  return {};
}

Status SqliteBackend::Commit(const StoreState& state) {
  if (auto failed = Failpoint("sqlite.commit"); !failed) {
    Rollback();
    if (failed.error().code == ErrorCode::kNoSpace) return failed;
    return Break(failed.error().message);
  }
  const int error = sqlite3_exec(db_.get(), "COMMIT", nullptr, nullptr, nullptr);
  if (error != SQLITE_OK) {
    const Error cause = FailSqlite(db_.get(), "commit", error).value();
    Rollback();
    // The commit's last frame found no room, so that no recovery can take it for complete. Read
    // back all the same: only the old state is proof.
    if (cause.code == ErrorCode::kNoSpace && !is_broken_) {
      if (auto now = ReadSqliteState(db_.get()); now && *now != state) return Fail(cause);
    }
    return Break(cause.message);
  }
  database_->tables.KeepMade();
  is_attached_ = true;
  has_applied_since_check_ = true;
  if (auto failed = Failpoint("sqlite.committed"); !failed) return Break(failed.error().message);
  return {};
}

Status SqliteBackend::WriteTransaction(std::span<const Effect> effects, const StoreState& state) {
  auto written = BeginWrite();
  if (written) written = writer_->WriteAll(effects);
  if (written) written = WriteState(state);
  return written;
}

Status SqliteBackend::Apply(std::span<const Effect> effects, const StoreState& state) {
  SB_RETURN_IF_ERROR(CheckOpen());
  if (is_foreign_) return CheckDataVersion();
  auto written = WriteTransaction(effects, state);
  if (!written && SwitchTriggersOff()) written = WriteTransaction(effects, state);
  if (!written) {
    Rollback();
    return written;
  }
  SB_RETURN_IF_ERROR(Commit(state));
  return CheckpointIfDue();
}

Status SqliteBackend::Checkpoint(int mode, bool& is_complete) {
  is_complete = false;
  SB_RETURN_IF_ERROR(Failpoint("sqlite.checkpoint"));
  SB_CHECK(sqlite3_get_autocommit(db_.get()) != 0, "a checkpoint runs between transactions");
  int wal_pages = 0;
  int moved_pages = 0;
  const int error = sqlite3_wal_checkpoint_v2(db_.get(), "main", mode, &wal_pages, &moved_pages);
  // A busy one has still moved what it could.
  if (error != SQLITE_OK && error != SQLITE_BUSY) return FailSqlite(db_.get(), "checkpoint", error);
  is_complete = error == SQLITE_OK && wal_pages == moved_pages;
  moved_pages_ = moved_pages > 0 ? static_cast<std::uint32_t>(moved_pages) : 0;
  return {};
}

// Between batches, so that the newest one is committed whatever happens here. A full disk leaves
// the WAL as it is, and the next batch will say so; after any other failure the handle is not to be
// trusted.
Status SqliteBackend::RunCheckpoint() {
  bool is_complete = false;
  auto done = Checkpoint(SQLITE_CHECKPOINT_PASSIVE, is_complete);
  if (!done && done.error().code != ErrorCode::kNoSpace) return Break(done.error().message);
  if (!done) LogWarning("SQLite: {}", done.error().message);
  // Complete: the next commit starts the WAL from its beginning, if no reader is still in it.
  // Otherwise a reader was in the way, or the disk is full: again soon, but not at each batch.
  const std::uint32_t interval = database_->options.checkpoint_pages;
  checkpoint_at_pages_ = is_complete ? interval : wal_pages_ + interval / 8 + 1;
  return {};
}

Status SqliteBackend::CheckpointIfDue() {
  return wal_pages_ >= checkpoint_at_pages_ ? RunCheckpoint() : Status{};
}

// FCNTL_JOURNAL_POINTER gives the very file object that SQLite syncs at each commit with
// synchronous=FULL.
Status SqliteBackend::SyncWal() {
  sqlite3_file* wal = nullptr;
  int error = sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
  if (error != SQLITE_OK) return FailSqlite(db_.get(), "find the WAL", error);
  if (wal == nullptr || wal->pMethods == nullptr) return {};  // nothing written since open
  error = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
  if (error != SQLITE_OK) return FailSqlite(nullptr, "sync the WAL", error);
  return {};
}

Status SqliteBackend::MakeDurable() {
  SB_RETURN_IF_ERROR(CheckOpen());
  if (is_wal_suspect_) {
    // A failed sync has dropped dirty pages, and one that succeeds later proves nothing. Moving
    // every page to the database writes it again.
    bool is_complete = false;
    SB_RETURN_IF_ERROR(Checkpoint(SQLITE_CHECKPOINT_TRUNCATE, is_complete));
    if (!is_complete) {
      return Fail(ErrorCode::kBusy, "SQLite: readers prevent the checkpoint a failed sync needs");
    }
    is_wal_suspect_ = false;
  }
  auto synced = Failpoint("sqlite.sync");
  if (synced) synced = SyncWal();
  if (!synced) {
    is_wal_suspect_ = true;
    return Break(synced.error().message);
  }
  // Reads of pages that are in the WAL cannot use the map and cost twice as much: whoever has asked
  // for durability has time to move them, unless they are only a few (--ack stores asks each time).
  return wal_pages_ >= moved_pages_ + kDurableCheckpointPages ? RunCheckpoint() : CheckpointIfDue();
}

Result<StoreState> SqliteBackend::State() {
  if (db_ == nullptr) return Fail(ErrorCode::kUnavailable, "SQLite: the database is not open");
  return ReadSqliteState(db_.get());
}

Status SqliteBackend::AcceptForeign() {
  SB_RETURN_IF_ERROR(Reopen());
  SB_RETURN_IF_ERROR(RemoveSqliteSeal(database_->options.path));
  is_foreign_ = false;
  return {};
}

Status SqliteBackend::Reopen() {
  const ClosedGate parked(database_->gate, kGateCloseWaitMax);
  SB_RETURN_IF_ERROR(parked.status());
  database_->gate.DropAllHandles();
  database_->is_open = false;
  const bool was_foreign = is_foreign_;
  CloseDatabase();
  SB_RETURN_IF_ERROR(OpenDatabase());
  is_foreign_ = is_foreign_ || (was_foreign && is_attached_);
  return {};
}

Status SqliteBackend::MoveTo(const std::string& path) {
  const ClosedGate parked(database_->gate, kGateCloseWaitMax);
  SB_RETURN_IF_ERROR(parked.status());
  database_->gate.DropAllHandles();
  database_->is_open = false;
  CloseFormer();
  DropStatements();
  former_ = std::move(db_);
  const std::string before = std::exchange(database_->options.path, path);
  auto opened = OpenDatabase();
  if (opened) return {};
  CloseDatabase();
  database_->options.path = before;
  CloseFormer();
  SB_RETURN_IF_ERROR(OpenDatabase());
  return opened;
}

// The database goes first: SQLite throws away a WAL whose database is empty, but replays one that
// belongs to another file of the same name.
Status SqliteBackend::RemoveFiles() {
  const std::string& path = database_->options.path;
  for (const char* suffix : {"", "-wal", "-shm", "-journal", ".seal"}) {
    if (::unlink((path + suffix).c_str()) != 0 && errno != ENOENT) {
      return FailErrno("remove " + path + suffix, errno);
    }
  }
  return SyncDirectory(ParentDirectory(path));
}

Status SqliteBackend::Reset() {
  auto keeps_schema = HasSchemaToKeep();
  if (keeps_schema && *keeps_schema) keeps_schema = EmptyCollections();
  if (!keeps_schema && keeps_schema.error().code != ErrorCode::kCorruption)
    return Fail(keeps_schema.error());
  if (keeps_schema && *keeps_schema) return {};
  if (!keeps_schema)
    LogError(
        "SQLite: the database is damaged and made anew; what migrations of the schema made is "
        "gone, and they have to be applied again: {}",
        keeps_schema.error().message);
  std::vector<UnservableCollection> foreign = unservable();
  if (auto found = db_ ? SqliteTables::FindForeign(db_.get()) : foreign; found) foreign = *found;
  if (!foreign.empty()) {
    return Fail(ErrorCode::kRefused, "the SQLite database holds '" + foreign.front().name +
                                         "', which switchback did not make and cannot fill again");
  }
  const ClosedGate parked(database_->gate, kGateCloseWaitMax);
  SB_RETURN_IF_ERROR(parked.status());
  database_->gate.DropAllHandles();
  database_->is_open = false;
  is_attached_ = false;  // nothing to seal
  CloseDatabase();
  SB_RETURN_IF_ERROR(RemoveFiles());
  is_wal_suspect_ = false;
  return OpenDatabase();
}

Status SqliteBackend::Detach() {
  SB_RETURN_IF_ERROR(CheckOpen());
  const ClosedGate parked(database_->gate, kGateCloseWaitMax);
  SB_RETURN_IF_ERROR(parked.status());
  database_->gate.DropAllHandles();
  writer_ = std::make_unique<SqliteEffectWriter>(db_.get(), database_->tables);
  write_state_.reset();
  const std::string drop = std::string("BEGIN IMMEDIATE; DROP TABLE IF EXISTS ") +
                           kSqliteStateTable + "; DROP TABLE IF EXISTS " + kSqlitePairsTable +
                           "; DROP TABLE IF EXISTS " + kSqliteSchemaTable + "; COMMIT";
  if (auto dropped = ExecuteSqlite(db_.get(), drop); !dropped) {
    Rollback();
    return dropped;
  }
  is_detached_ = true;
  bool is_complete = false;
  SB_RETURN_IF_ERROR(Checkpoint(SQLITE_CHECKPOINT_TRUNCATE, is_complete));
  if (!is_complete) SB_RETURN_IF_ERROR(SyncWal());
  // So that read-only media and old tools can read the file as well. Another process that has it
  // open prevents that, which does no harm.
  auto mode = QuerySqliteText(db_.get(), "PRAGMA journal_mode=DELETE");
  if (!mode) LogInfo("SQLite: the file stays in WAL mode: {}", mode.error().message);
  return RemoveSqliteSeal(database_->options.path);
}

const std::vector<UnservableCollection>& SqliteBackend::unservable() const {
  return database_->tables.unservable();
}

Result<std::unique_ptr<ReadView>> SqliteBackend::NewReadView() {
  return std::unique_ptr<ReadView>(std::make_unique<SqliteReadView>(database_));
}

BackendStats SqliteBackend::Stats() {
  BackendStats stats;
  stats.file_bytes = SizeOfFile(database_->options.path);
  stats.wal_bytes = SizeOfFile(database_->options.path + "-wal");
  return stats;
}

}  // namespace switchback
