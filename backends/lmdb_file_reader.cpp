#include "backends/lmdb_file_reader.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "backends/lmdb_collections.hpp"

namespace switchback {
namespace {

// One step of a cursor; false at the end.
Result<bool> Step(MDB_cursor* cursor, MDB_val& key, MDB_val& value, MDB_cursor_op step) {
  const int error = mdb_cursor_get(cursor, &key, &value, step);
  if (error == MDB_NOTFOUND) return false;
  if (error != MDB_SUCCESS) return FailMdb("scan", error);
  return true;
}

Result<MdbCursorHandle> OpenCursor(MDB_txn* txn, MDB_dbi dbi) {
  MDB_cursor* opened = nullptr;
  const int error = mdb_cursor_open(txn, dbi, &opened);
  if (error != MDB_SUCCESS) return FailMdb("scan", error);
  return MdbCursorHandle(opened);
}

}  // namespace

Result<LmdbFileReader> LmdbFileReader::Open(const std::string& path) {
  struct stat info {};
  // Also with MDB_RDONLY LMDB would make a lock file at a mistyped path before it says so.
  const bool is_directory = ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  const std::string data = is_directory ? path + "/data.mdb" : path;
  if (::stat(data.c_str(), &info) != 0)
    return Fail(ErrorCode::kNotFound, "there is no LMDB environment at " + path);
  MDB_env* made = nullptr;
  int error = mdb_env_create(&made);
  if (error != MDB_SUCCESS) return FailMdb("open " + path, error);
  MdbEnvHandle env(made);
  error = mdb_env_set_maxdbs(env.get(), kLmdbDatabaseCountMax);
  const unsigned flags = MDB_RDONLY | MDB_NOTLS | (is_directory ? 0u : MDB_NOSUBDIR);
  if (error == MDB_SUCCESS) error = mdb_env_open(env.get(), path.c_str(), flags, 0600);
  if (error != MDB_SUCCESS) return FailMdb("open " + path, error);
  MDB_txn* begun = nullptr;
  error = mdb_txn_begin(env.get(), nullptr, MDB_RDONLY, &begun);
  if (error != MDB_SUCCESS) return FailMdb("read " + path, error);
  LmdbFileReader reader(std::move(env), MdbTxnHandle(begun));
  if (auto found = reader.FindDatabases(); !found)
    return Fail(WithContext(found.error(), "read " + path));
  return reader;
}

Result<MDB_dbi> LmdbFileReader::OpenDatabase(const std::string& name) {
  MDB_dbi dbi = 0;
  const bool is_main = name == kMainCollectionName;
  const int error = mdb_dbi_open(txn_.get(), is_main ? nullptr : name.c_str(), 0, &dbi);
  if (error != MDB_SUCCESS) return FailMdb("open the database " + name, error);
  return dbi;
}

// A record of the main database is a database when it can be opened as one.
Status LmdbFileReader::FindDatabases() {
  const auto main = OpenDatabase(std::string(kMainCollectionName));
  if (!main) return Fail(main.error());
  unsigned flags = 0;
  mdb_dbi_flags(txn_.get(), *main, &flags);
  const std::string main_reason = LmdbReasonAgainst(flags);
  const auto cursor = OpenCursor(txn_.get(), *main);
  if (!cursor) return Fail(cursor.error());
  bool has_record = false;
  MDB_val key{};
  MDB_val value{};
  auto step = Step(cursor->get(), key, value, MDB_FIRST);
  for (; step && *step; step = Step(cursor->get(), key, value, MDB_NEXT)) {
    const std::string name(FromMdb(key));
    MDB_dbi dbi = 0;
    const bool is_database = value.mv_size == LmdbCollections::kDatabaseRecordBytes &&
                             name.find('\0') == std::string::npos &&
                             mdb_dbi_open(txn_.get(), name.c_str(), 0, &dbi) == MDB_SUCCESS;
    if (is_database) SB_RETURN_IF_ERROR(AddDatabase(name));
    has_record = has_record || !is_database;
  }
  if (!step) return Fail(step.error());
  if (has_record && main_reason.empty()) names_.emplace_back(kMainCollectionName);
  if (has_record && !main_reason.empty())
    unservable_.push_back({std::string(kMainCollectionName), main_reason});
  std::sort(names_.begin(), names_.end());
  return {};
}

Status LmdbFileReader::AddDatabase(const std::string& name) {
  databases_.push_back(name);  // in order already
  if (name == kReservedName) return {};
  MDB_dbi dbi = 0;
  const int error = mdb_dbi_open(txn_.get(), name.c_str(), 0, &dbi);
  if (error != MDB_SUCCESS) return FailMdb("open the database " + name, error);
  unsigned flags = 0;
  mdb_dbi_flags(txn_.get(), dbi, &flags);
  std::string reason = LmdbReasonAgainst(flags);
  if (reason.empty() && name == kMainCollectionName)
    reason = "this name stands for the records of the main database";
  if (reason.empty() && !IsValidCollectionName(name)) reason = "no collection can have this name";
  if (reason.empty()) {
    names_.push_back(name);
  } else {
    unservable_.push_back({name, std::move(reason)});
  }
  return {};
}

bool LmdbFileReader::IsDatabase(std::string_view key) const {
  return std::binary_search(databases_.begin(), databases_.end(), key);
}

Result<std::uint64_t> LmdbFileReader::Count(const std::string& name) {
  const auto dbi = OpenDatabase(name);
  if (!dbi) return Fail(dbi.error());
  MDB_stat stat{};
  const int error = mdb_stat(txn_.get(), *dbi, &stat);
  if (error != MDB_SUCCESS) return FailMdb("count", error);
  return std::uint64_t{stat.ms_entries};
}

Status LmdbFileReader::Scan(const std::string& name, std::string_view from, const Visitor& visit) {
  const auto dbi = OpenDatabase(name);
  if (!dbi) return Fail(dbi.error());
  const auto cursor = OpenCursor(txn_.get(), *dbi);
  if (!cursor) return Fail(cursor.error());
  const bool is_main = name == kMainCollectionName;
  MDB_val key = ToMdb(from);
  MDB_val value{};
  auto step = Step(cursor->get(), key, value, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
  for (; step && *step; step = Step(cursor->get(), key, value, MDB_NEXT)) {
    if (is_main && IsDatabase(FromMdb(key))) continue;
    SB_RETURN_IF_ERROR(visit(FromMdb(key), FromMdb(value)));
  }
  return step ? Status() : Status(Fail(step.error()));
}

}  // namespace switchback
