#include "backends/sqlite_read_view.hpp"

#include <algorithm>
#include <utility>

#include "backends/sqlite_copy.hpp"
#include "backends/sqlite_query.hpp"
#include "backends/sqlite_schema.hpp"
#include "backends/store_state_codec.hpp"
#include "common/check.hpp"
#include "common/failpoint.hpp"

namespace switchback {
namespace {

Status StepDone(sqlite3* db, sqlite3_stmt* statement, const char* doing) {
  const int error = sqlite3_step(statement);
  sqlite3_reset(statement);
  if (error != SQLITE_DONE && error != SQLITE_ROW) return FailSqlite(db, doing, error);
  return {};
}

Result<bool> TableExists(sqlite3* db, std::string_view name) {
  auto statement =
      PrepareSqlite(db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1");
  if (!statement) return Fail(statement.error());
  sqlite3_bind_text(statement->get(), 1, name.data(), static_cast<int>(name.size()), SQLITE_STATIC);
  const int error = sqlite3_step(statement->get());
  if (error != SQLITE_ROW && error != SQLITE_DONE) return FailSqlite(db, "look for a table", error);
  return error == SQLITE_ROW;
}

}  // namespace

Result<StoreState> ReadSqliteState(sqlite3* db) {
  auto exists = TableExists(db, kSqliteStateTable);
  if (!exists) return Fail(exists.error());
  if (!*exists) return StoreState{};
  // In the order of their making: id, version, log_id, epoch, applied_sequence, is_filling,
  // fill_collection, fill_key, and in files of a newer program than the first collections.
  auto statement = PrepareSqlite(db, "SELECT * FROM __switchback WHERE id = 1");
  if (!statement) return Fail(statement.error());
  sqlite3_stmt* row = statement->get();
  const int error = sqlite3_step(row);
  if (error == SQLITE_DONE) return StoreState{};
  if (error != SQLITE_ROW) return FailSqlite(db, "read the store's state", error);
  if (const std::int64_t version = sqlite3_column_int64(row, 1);
      !IsKnownStateVersion(static_cast<std::uint64_t>(version))) {
    return Fail(ErrorCode::kUnsupported, "the store's state has version " +
                                             std::to_string(version) +
                                             ", which this switchback does not know");
  }
  StoreState state;
  state.log_id = SqliteColumnBytes(row, 2);
  state.epoch = static_cast<std::uint64_t>(sqlite3_column_int64(row, 3));
  state.applied_sequence = static_cast<std::uint64_t>(sqlite3_column_int64(row, 4));
  state.is_filling = sqlite3_column_int64(row, 5) != 0;
  state.fill_collection = SqliteColumnBytes(row, 6);
  state.fill_key = SqliteColumnBytes(row, 7);
  if (sqlite3_column_count(row) > 8)
    state.collections = SplitCollectionNames(SqliteColumnBytes(row, 8));
  return state;
}

SqliteReadView::SqliteReadView(std::shared_ptr<SqliteDatabase> database)
    : database_(std::move(database)) {
  database_->gate.Register(*this);
}

SqliteReadView::~SqliteReadView() {
  End();
  database_->gate.Unregister(*this);
}

void SqliteReadView::DropHandles() noexcept {
  SB_CHECK(pending_ == nullptr, "no value is out when handles drop");
  selects_.clear();
  begin_.reset();
  touch_.reset();
  commit_.reset();
  db_.reset();
}

Status SqliteReadView::Connect() {
  auto db = OpenSqliteReader(database_->options);
  if (!db) return Fail(db.error());
  if (is_for_sql_) SB_RETURN_IF_ERROR(PrepareConnectionForQueries(db->get()));
  auto begin = PrepareSqlite(db->get(), "BEGIN");
  if (!begin) return Fail(begin.error());
  auto touch = PrepareSqlite(db->get(), "SELECT 1 FROM sqlite_schema LIMIT 1");
  if (!touch) return Fail(touch.error());
  auto commit = PrepareSqlite(db->get(), "COMMIT");
  if (!commit) return Fail(commit.error());
  db_ = *std::move(db);
  begin_ = *std::move(begin);
  touch_ = *std::move(touch);
  commit_ = *std::move(commit);
  return {};
}

// BEGIN alone opens nothing: the snapshot is that of the first read.
Status SqliteReadView::OpenSnapshot() {
  if (db_ == nullptr) SB_RETURN_IF_ERROR(Connect());
  SB_RETURN_IF_ERROR(StepDone(db_.get(), begin_.get(), "begin a snapshot"));
  if (auto touched = StepDone(db_.get(), touch_.get(), "begin a snapshot"); !touched) {
    static_cast<void>(StepDone(db_.get(), commit_.get(), "end a snapshot"));
    return touched;
  }
  return {};
}

Status SqliteReadView::Begin() {
  SB_CHECK(!is_active_, "a read view has one snapshot at a time");
  SB_RETURN_IF_ERROR(Failpoint("sqlite.read"));
  SB_RETURN_IF_ERROR(database_->gate.Enter(*this));
  Status opened;
  if (database_->is_open) {
    opened = OpenSnapshot();
  } else {
    opened = Fail(ErrorCode::kUnavailable, "begin a snapshot: the database is not open");
  }
  if (!opened) {
    DropHandles();
    database_->gate.Leave(*this);
    return opened;
  }
  is_active_ = true;
  return {};
}

void SqliteReadView::End() noexcept {
  if (!is_active_) return;
  EndPending();
  is_active_ = false;
  const int error = sqlite3_step(commit_.get());
  sqlite3_reset(commit_.get());
  // A connection that had an error is not asked again.
  if (is_sick_ || error != SQLITE_DONE) DropHandles();
  is_sick_ = false;
  database_->gate.Leave(*this);
}

tl::unexpected<Error> SqliteReadView::FailSick(std::string_view doing, int error) {
  is_sick_ = true;
  return FailSqlite(db_.get(), doing, error);
}

Result<bool> SqliteReadView::HasTable(const std::string& name) {
  return TableExists(db_.get(), name);
}

Result<StatementHandle> SqliteReadView::PrepareOn(const Collection& collection,
                                                  std::string_view before_table,
                                                  std::string_view after_table) {
  const std::string* table = database_->tables.Find(collection);
  if (table == nullptr) return StatementHandle();
  std::string sql(before_table);
  sql += QuoteSqlite(*table);
  sql += after_table;
  auto prepared = PrepareSqlite(db_.get(), sql);
  if (prepared) return prepared;
  // Made after this snapshot, or never committed: the collection is empty here.
  auto has_table = HasTable(*table);
  if (!has_table) return Fail(has_table.error());
  if (!*has_table) return StatementHandle();
  is_sick_ = true;
  return prepared;
}

Result<sqlite3_stmt*> SqliteReadView::PrepareSelect(const Collection& collection) {
  SB_CHECK(collection.index < kCollectionCountMax, "the catalog hands out bounded indexes");
  auto prepared = PrepareOn(collection, "SELECT value FROM ", " WHERE key = ?1");
  if (!prepared) return Fail(prepared.error());
  if (*prepared == nullptr) return nullptr;
  if (selects_.size() <= collection.index) selects_.resize(collection.index + std::size_t{1});
  selects_[collection.index] = *std::move(prepared);
  return selects_[collection.index].get();
}

Result<std::optional<std::string_view>> SqliteReadView::Get(const Collection& collection,
                                                            std::string_view key) {
  SB_CHECK(is_active_, "reads need a snapshot");
  SB_RETURN_IF_ERROR(Failpoint("sqlite.read"));
  EndPending();
  sqlite3_stmt* select = nullptr;
  if (collection.index < selects_.size()) select = selects_[collection.index].get();
  if (select == nullptr) [[unlikely]] {
    auto prepared = PrepareSelect(collection);
    if (!prepared) return Fail(prepared.error());
    if (*prepared == nullptr) return std::optional<std::string_view>();
    select = *prepared;
  }
  pending_ = select;
  int error = BindSqliteBlob(select, 1, key);
  if (error == SQLITE_OK) [[likely]]
    error = sqlite3_step(select);
  if (error == SQLITE_ROW) [[likely]]
    return std::optional<std::string_view>(SqliteColumnBytes(select, 0));
  if (error == SQLITE_DONE) return std::optional<std::string_view>();
  return FailSick("get", error);
}

Status SqliteReadView::Scan(const Collection& collection, std::string_view from,
                            const Visitor& visit) {
  SB_CHECK(is_active_, "reads need a snapshot");
  SB_RETURN_IF_ERROR(Failpoint("sqlite.read"));
  EndPending();
  auto prepared = PrepareOn(collection, "SELECT key, value FROM ", " WHERE key >= ?1 ORDER BY key");
  if (!prepared) return Fail(prepared.error());
  sqlite3_stmt* select = prepared->get();
  if (select == nullptr) return {};
  int error = BindSqliteBlob(select, 1, from);
  if (error != SQLITE_OK) return FailSick("scan", error);
  while ((error = sqlite3_step(select)) == SQLITE_ROW) {
    if (!visit(SqliteColumnBytes(select, 0), SqliteColumnBytes(select, 1))) return {};
  }
  if (error != SQLITE_DONE) return FailSick("scan", error);
  return {};
}

Result<std::uint64_t> SqliteReadView::Count(const Collection& collection) {
  SB_CHECK(is_active_, "reads need a snapshot");
  SB_RETURN_IF_ERROR(Failpoint("sqlite.read"));
  EndPending();
  auto prepared = PrepareOn(collection, "SELECT count(*) FROM ", "");
  if (!prepared) return Fail(prepared.error());
  if (*prepared == nullptr) return 0;
  const int error = sqlite3_step(prepared->get());
  if (error != SQLITE_ROW) return FailSick("count", error);
  return static_cast<std::uint64_t>(sqlite3_column_int64(prepared->get(), 0));
}

Result<std::vector<std::string>> SqliteReadView::CollectionNames() {
  SB_CHECK(is_active_, "reads need a snapshot");
  SB_RETURN_IF_ERROR(Failpoint("sqlite.read"));
  EndPending();
  std::vector<std::string> names;
  auto has_pairs = HasTable(kSqlitePairsTable);
  if (!has_pairs) return Fail(has_pairs.error());
  if (!*has_pairs) return names;
  auto pairs = PrepareSqlite(db_.get(),
                             "SELECT collection FROM __switchback_collections JOIN sqlite_schema"
                             " ON name = table_name AND type = 'table' ORDER BY collection");
  if (!pairs) return Fail(pairs.error());
  int error = SQLITE_ROW;
  while ((error = sqlite3_step(pairs->get())) == SQLITE_ROW) {
    names.emplace_back(SqliteColumnBytes(pairs->get(), 0));
  }
  if (error != SQLITE_DONE) return FailSick("list the collections", error);
  const auto main = std::find(names.begin(), names.end(), kMainCollectionName);
  if (main == names.end()) return names;
  auto has_record = MainHasRecord();
  if (!has_record) return Fail(has_record.error());
  if (!*has_record) names.erase(main);
  return names;
}

Result<bool> SqliteReadView::MainHasRecord() {
  auto table = QuerySqliteText(
      db_.get(), "SELECT table_name FROM __switchback_collections WHERE collection = 'main'");
  if (!table) return Fail(table.error());
  auto found =
      QuerySqliteText(db_.get(), "SELECT EXISTS(SELECT 1 FROM " + QuoteSqlite(*table) + ")");
  if (!found) return Fail(found.error());
  return *found == "1";
}

Result<StoreState> SqliteReadView::State() {
  SB_CHECK(is_active_, "reads need a snapshot");
  SB_RETURN_IF_ERROR(Failpoint("sqlite.read"));
  EndPending();
  return ReadSqliteState(db_.get());
}

Status SqliteReadView::CopyTo(const std::string& path, const CopyStep& step) {
  SB_CHECK(is_active_, "a copy needs a snapshot");
  SB_RETURN_IF_ERROR(Failpoint("sqlite.read"));
  EndPending();
  return WriteSqliteSnapshot(db_.get(), path, step);
}

SqlReader* SqliteReadView::sql() {
  SB_CHECK(db_ == nullptr || is_for_sql_, "a view is one for statements of people from the start");
  is_for_sql_ = true;
  return this;
}

Result<SqlResult> SqliteReadView::Query(const SqlQuery& query) {
  SB_CHECK(is_active_ && is_for_sql_, "a query needs a snapshot");
  SB_RETURN_IF_ERROR(Failpoint("sqlite.read"));
  EndPending();
  auto state = ReadSqliteState(db_.get());
  if (!state) return Fail(state.error());
  bool is_asked_to_leave = false;
  SqlBudget budget = query.budget;
  budget.is_cancelled = [&] {
    is_asked_to_leave = database_->gate.is_closed();
    return is_asked_to_leave || (query.budget.is_cancelled && query.budget.is_cancelled());
  };
  auto result = RunSqliteQuery(db_.get(), query, budget);
  if (!result && is_asked_to_leave)
    return Fail(ErrorCode::kBusy, "the store is being reopened: ask again");
  if (result) result->applied_sequence = state->applied_sequence;
  return result;
}

Result<std::vector<SchemaVersion>> SqliteReadView::SchemaVersions() {
  SB_CHECK(is_active_, "reads need a snapshot");
  SB_RETURN_IF_ERROR(Failpoint("sqlite.read"));
  return ReadSchemaVersions(db_.get());
}

}  // namespace switchback
