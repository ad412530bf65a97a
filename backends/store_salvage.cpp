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
  explicit RecordCheck(bool is_backward) : is_backward_(is_backward) {}
  Status Check(std::string_view key, std::string_view value) {
    const bool is_first = last_.empty();
    const bool is_in_order = is_first || (is_backward_ ? key < last_ : key > last_);
    if (key.empty() || key.size() > kKeyBytesMax || value.size() > kSalvagedValueBytesMax ||
        !is_in_order)
      return Fail(ErrorCode::kCorruption, "what is read is no record");
    last_ = key;
    return {};
  }

 private:
  const bool is_backward_;
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

Status WalkLmdb(MDB_txn* txn, MDB_dbi dbi, bool is_backward, const SalvageTake& take) {
  MDB_cursor* opened = nullptr;
  int error = mdb_cursor_open(txn, dbi, &opened);
  if (error != MDB_SUCCESS) return FailMdb("scan", error);
  const MdbCursorHandle cursor(opened);
  RecordCheck check(is_backward);
  MDB_val key{};
  MDB_val value{};
  const MDB_cursor_op step = is_backward ? MDB_PREV : MDB_NEXT;
  while ((error = mdb_cursor_get(cursor.get(), &key, &value, step)) == MDB_SUCCESS) {
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
  return WalkLmdb(txn, *main, false, [&](std::string_view key, std::string_view value) -> Status {
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

Status LmdbRecords(const std::string& path, const std::string& name, bool is_backward,
                   const SalvageTake& take) {
  auto reader = OpenLmdb(path);
  if (!reader) return Fail(reader.error());
  MDB_txn* txn = reader->txn.get();
  const bool is_main = name == kMainCollectionName;
  auto dbi = OpenDatabase(txn, is_main ? nullptr : name.c_str());
  if (!dbi) return Fail(dbi.error());
  return WalkLmdb(txn, *dbi, is_backward,
                  [&](std::string_view key, std::string_view value) -> Status {
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

// The rows of a statement with two columns.
Status Rows(sqlite3* db, const std::string& sql, const SalvageTake& take) {
  auto statement = PrepareSqlite(db, sql);
  if (!statement) return Fail(statement.error());
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
  return Rows(db->get(), kPairs,
              [&](std::string_view name, std::string_view /*table*/) { return take(name); });
}

Result<StoreState> SqliteState(const std::string& path) {
  auto db = OpenSqlite(path);
  if (!db) return Fail(db.error());
  return ReadSqliteState(db->get());
}

Status SqliteRecords(const std::string& path, const std::string& name, bool is_backward,
                     const SalvageTake& take) {
  auto db = OpenSqlite(path);
  if (!db) return Fail(db.error());
  std::string table;
  SB_RETURN_IF_ERROR(
      Rows(db->get(), kPairs, [&](std::string_view collection, std::string_view name_of_table) {
        if (collection == name) table = name_of_table;
        return Status{};
      }));
  RecordCheck check(is_backward);
  return Rows(db->get(),
              "SELECT key, value FROM " + QuoteSqlite(table) + " ORDER BY key" +
                  (is_backward ? " DESC" : ""),
              [&](std::string_view key, std::string_view value) -> Status {
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
                      bool is_backward, const SalvageTake& take) {
  return engine == "lmdb" ? LmdbRecords(path, name, is_backward, take)
                          : SqliteRecords(path, name, is_backward, take);
}

}  // namespace switchback
