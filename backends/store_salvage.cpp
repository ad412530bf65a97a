#include "backends/store_salvage.hpp"

#include <memory>
#include <optional>

#include "backends/lmdb_collections.hpp"
#include "backends/lmdb_handles.hpp"
#include "backends/lmdb_read_view.hpp"
#include "backends/sqlite_handles.hpp"
#include "backends/sqlite_read_view.hpp"
#include "backends/sqlite_tables.hpp"
#include "backends/store_state_codec.hpp"
#include "common/limits.hpp"

namespace switchback {
namespace {

// Past every limit that a store can have been given.
constexpr std::size_t kSalvagedValueBytesMax = 1u << 30;

// Keys go one way only: a damaged page may lead in a circle, or elsewhere.
class RecordCheck {
 public:
  explicit RecordCheck(const SalvageStart& start)
      : is_backward_(start.is_backward), last_(start.key) {}
  Status Check(std::string_view key, std::string_view value) {
    const bool is_start = is_first_ && !is_backward_ && key == last_;
    const bool is_in_order =
        last_.empty() || is_start || (is_backward_ ? key < last_ : key > last_);
    is_first_ = false;
    if (key.empty() || key.size() > kKeyBytesMax || value.size() > kSalvagedValueBytesMax ||
        !is_in_order)
      return Fail(ErrorCode::kCorruption, "what is read is no record");
    last_ = key;
    return {};
  }

 private:
  const bool is_backward_;
  bool is_first_ = true;
  std::string last_;
};

// ---- LMDB

struct LmdbReader {
  MdbEnvHandle env;
  MdbTxnHandle txn;
};

Result<LmdbReader> OpenLmdb(const std::string& path) {
  auto env = OpenMdbFileReadOnly(path);
  if (!env) return Fail(env.error());
  MDB_txn* begun = nullptr;
  const int error = mdb_txn_begin(env->get(), nullptr, MDB_RDONLY, &begun);
  if (error != MDB_SUCCESS) return FailMdb("read " + path, error);
  return LmdbReader{*std::move(env), MdbTxnHandle(begun)};
}

Result<MDB_dbi> OpenDatabase(MDB_txn* txn, const char* name) {
  MDB_dbi dbi = 0;
  const int error = mdb_dbi_open(txn, name, 0, &dbi);
  if (error != MDB_SUCCESS) return FailMdb("open a database", error);
  return dbi;
}

bool IsDatabase(MDB_txn* txn, std::string_view key, std::string_view value) {
  if (value.size() != LmdbCollections::kDatabaseRecordBytes ||
      key.find('\0') != std::string_view::npos)
    return false;
  return OpenDatabase(txn, std::string(key).c_str()).has_value();
}

// To the first record of a walk. An MDB error.
int MoveTo(MDB_cursor* cursor, const SalvageStart& start, MDB_val& key, MDB_val& value) {
  if (start.key.empty())
    return mdb_cursor_get(cursor, &key, &value, start.is_backward ? MDB_LAST : MDB_FIRST);
  key = ToMdb(start.key);
  const int error = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
  if (!start.is_backward || (error != MDB_SUCCESS && error != MDB_NOTFOUND)) return error;
  return mdb_cursor_get(cursor, &key, &value, error == MDB_SUCCESS ? MDB_PREV : MDB_LAST);
}

Status WalkLmdb(MDB_txn* txn, MDB_dbi dbi, const SalvageStart& start, const SalvageTake& take) {
  MDB_cursor* opened = nullptr;
  int error = mdb_cursor_open(txn, dbi, &opened);
  if (error != MDB_SUCCESS) return FailMdb("scan", error);
  const MdbCursorHandle cursor(opened);
  RecordCheck check(start);
  MDB_val key{};
  MDB_val value{};
  const MDB_cursor_op step = start.is_backward ? MDB_PREV : MDB_NEXT;
  for (error = MoveTo(cursor.get(), start, key, value); error == MDB_SUCCESS;
       error = mdb_cursor_get(cursor.get(), &key, &value, step)) {
    SB_RETURN_IF_ERROR(check.Check(FromMdb(key), FromMdb(value)));
    SB_RETURN_IF_ERROR(take(FromMdb(key), FromMdb(value)));
  }
  if (error != MDB_NOTFOUND) return FailMdb("scan", error);
  return {};
}

Status LmdbNames(const std::string& path,
                 const std::function<Status(std::string_view name)>& take) {
  auto reader = OpenLmdb(path);
  if (!reader) return Fail(reader.error());
  MDB_txn* txn = reader->txn.get();
  auto main = OpenDatabase(txn, nullptr);
  if (!main) return Fail(main.error());
  SB_RETURN_IF_ERROR(take(kMainCollectionName));
  return WalkLmdb(txn, *main, {}, [&](std::string_view key, std::string_view value) -> Status {
    if (key == kReservedName || !IsDatabase(txn, key, value)) return {};
    return take(key);
  });
}

Result<StoreState> LmdbState(const std::string& path) {
  auto reader = OpenLmdb(path);
  if (!reader) return Fail(reader.error());
  auto dbi = OpenDatabase(reader->txn.get(), std::string(kReservedName).c_str());
  if (!dbi) return Fail(dbi.error());
  MDB_val key = ToMdb(kLmdbStateKey);
  MDB_val value{};
  const int error = mdb_get(reader->txn.get(), *dbi, &key, &value);
  if (error != MDB_SUCCESS) return FailMdb("read the state", error);
  auto stamped = DecodeStoreState(FromMdb(value));
  if (!stamped) return Fail(stamped.error());
  return std::move(stamped->state);
}

Status LmdbRecords(const std::string& path, const std::string& name, const SalvageStart& start,
                   const SalvageTake& take) {
  auto reader = OpenLmdb(path);
  if (!reader) return Fail(reader.error());
  MDB_txn* txn = reader->txn.get();
  const bool is_main = name == kMainCollectionName;
  auto dbi = OpenDatabase(txn, is_main ? nullptr : name.c_str());
  if (!dbi) return Fail(dbi.error());
  return WalkLmdb(txn, *dbi, start, [&](std::string_view key, std::string_view value) -> Status {
    if (is_main && IsDatabase(txn, key, value)) return {};
    return take(key, value);
  });
}

// ---- SQLite

// Not through a map: a file that was cut off would be a signal instead of an error.
Result<SqliteHandle> OpenSqlite(const std::string& path) {
  SqliteOptions options;
  options.path = path;
  options.mmap_bytes = 0;
  auto db = OpenSqliteReader(options);
  if (!db) return db;
  SB_RETURN_IF_ERROR(ExecuteSqlite(db->get(), "PRAGMA cell_size_check=ON"));
  return db;
}

// The rows of a statement with two columns. `key` is its parameter, if it has one.
Status Rows(sqlite3* db, const std::string& sql, std::string_view key, const SalvageTake& take) {
  auto statement = PrepareSqlite(db, sql);
  if (!statement) return Fail(statement.error());
  if (sqlite3_bind_parameter_count(statement->get()) > 0) BindSqliteBlob(statement->get(), 1, key);
  int error = SQLITE_ROW;
  while ((error = sqlite3_step(statement->get())) == SQLITE_ROW)
    SB_RETURN_IF_ERROR(
        take(SqliteColumnBytes(statement->get(), 0), SqliteColumnBytes(statement->get(), 1)));
  if (error != SQLITE_DONE) return FailSqlite(db, "scan", error);
  return {};
}

constexpr const char* kPairs = "SELECT collection, table_name FROM __switchback_collections";

Status SqliteNames(const std::string& path,
                   const std::function<Status(std::string_view name)>& take) {
  auto db = OpenSqlite(path);
  if (!db) return Fail(db.error());
  return Rows(db->get(), kPairs, "",
              [&](std::string_view name, std::string_view /*table*/) { return take(name); });
}

Result<StoreState> SqliteState(const std::string& path) {
  auto db = OpenSqlite(path);
  if (!db) return Fail(db.error());
  return ReadSqliteState(db->get());
}

Status SqliteRecords(const std::string& path, const std::string& name, const SalvageStart& start,
                     const SalvageTake& take) {
  auto db = OpenSqlite(path);
  if (!db) return Fail(db.error());
  std::string table;
  SB_RETURN_IF_ERROR(
      Rows(db->get(), kPairs, "", [&](std::string_view collection, std::string_view name_of_table) {
        if (collection == name) table = name_of_table;
        return Status{};
      }));
  RecordCheck check(start);
  const char* where = start.key.empty()   ? ""
                      : start.is_backward ? " WHERE key < ?1"
                                          : " WHERE key >= ?1";
  return Rows(db->get(),
              "SELECT key, value FROM " + QuoteSqlite(table) + where + " ORDER BY key" +
                  (start.is_backward ? " DESC" : ""),
              start.key, [&](std::string_view key, std::string_view value) -> Status {
                SB_RETURN_IF_ERROR(check.Check(key, value));
                return take(key, value);
              });
}

}  // namespace

Status SalvageNames(std::string_view engine, const std::string& path,
                    const std::function<Status(std::string_view name)>& take) {
  return engine == "lmdb" ? LmdbNames(path, take) : SqliteNames(path, take);
}

Result<StoreState> SalvageState(std::string_view engine, const std::string& path) {
  return engine == "lmdb" ? LmdbState(path) : SqliteState(path);
}

Status SalvageRecords(std::string_view engine, const std::string& path, const std::string& name,
                      const SalvageStart& start, const SalvageTake& take) {
  return engine == "lmdb" ? LmdbRecords(path, name, start, take)
                          : SqliteRecords(path, name, start, take);
}

}  // namespace switchback
