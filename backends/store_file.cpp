#include "backends/store_file.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "backends/lmdb_collections.hpp"
#include "backends/lmdb_handles.hpp"
#include "backends/lmdb_read_view.hpp"
#include "backends/sqlite_database.hpp"
#include "backends/sqlite_read_view.hpp"
#include "backends/sqlite_schema.hpp"
#include "common/check.hpp"

namespace switchback {
namespace {

constexpr std::uint64_t kStepBytes = 256u << 10;

// Tells `step` of what was read, now and then.
class StepCounter {
 public:
  explicit StepCounter(const ReadView::CopyStep& step) : step_(step) {}
  Status Count(std::uint64_t bytes) {
    bytes_ += bytes;
    if (bytes_ < kStepBytes || !step_) return {};
    return step_(std::exchange(bytes_, 0));
  }

 private:
  const ReadView::CopyStep& step_;
  std::uint64_t bytes_ = 0;
};

// Walks one database whole, so that each of its pages is looked at.
Result<CollectionDigest> WalkDatabase(MDB_txn* txn, MDB_dbi dbi, std::string name,
                                      const LmdbCollections& collections, StepCounter& counter) {
  MDB_cursor* opened = nullptr;
  int error = mdb_cursor_open(txn, dbi, &opened);
  if (error != MDB_SUCCESS) return FailMdb("walk " + name, error);
  const MdbCursorHandle cursor(opened);
  MDB_stat stat{};
  error = mdb_stat(txn, dbi, &stat);
  if (error != MDB_SUCCESS) return FailMdb("count " + name, error);
  CollectionHasher hasher;
  std::uint64_t entry_count = 0;
  MDB_val key{};
  MDB_val value{};
  MDB_val last{};
  while ((error = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
    if (last.mv_data != nullptr && mdb_cmp(txn, dbi, &last, &key) > 0)
      return Fail(ErrorCode::kCorruption, "database " + name + ": its keys are not in order");
    last = key;
    if (++entry_count > stat.ms_entries) break;  // damaged pages may lead in a circle
    const bool is_database = LmdbCollections::IsMain(dbi) &&
                             value.mv_size == LmdbCollections::kDatabaseRecordBytes &&
                             collections.IsDatabase(FromMdb(key));
    if (!is_database) hasher.Add(FromMdb(key), FromMdb(value));
    SB_RETURN_IF_ERROR(counter.Count(key.mv_size + value.mv_size));
  }
  if (error != MDB_SUCCESS && error != MDB_NOTFOUND) return FailMdb("walk " + name, error);
  if (stat.ms_entries != entry_count)
    return Fail(ErrorCode::kCorruption, "database " + name + " says that it holds " +
                                            std::to_string(stat.ms_entries) +
                                            " records, and holds " + std::to_string(entry_count));
  return hasher.Finish(std::move(name));
}

constexpr MDB_dbi kFreeListDbi = 0;  // as mdb_stat -f opens it

// The pages that writers will take next: a list that is damaged is met by the first write. An entry
// is a count and so many page numbers (source: MDB_IDL in midl.h; part of the file format).
Status CheckFreeList(MDB_env* env, MDB_txn* txn) {
  MDB_envinfo info{};
  mdb_env_info(env, &info);
  MDB_cursor* opened = nullptr;
  int error = mdb_cursor_open(txn, kFreeListDbi, &opened);
  if (error != MDB_SUCCESS) return FailMdb("walk the free pages", error);
  const MdbCursorHandle cursor(opened);
  MDB_val key{};
  MDB_val value{};
  while ((error = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
    const std::string_view bytes = FromMdb(value);
    std::vector<std::size_t> numbers(bytes.size() / sizeof(std::size_t));
    std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(std::size_t));
    const bool is_list =
        key.mv_size == sizeof(std::size_t) && !numbers.empty() && numbers.front() < numbers.size();
    if (!is_list || std::any_of(numbers.begin() + 1,
                                numbers.begin() + 1 + static_cast<std::ptrdiff_t>(numbers.front()),
                                [&](std::size_t page) { return page > info.me_last_pgno; }))
      return Fail(ErrorCode::kCorruption, "the list of free pages is damaged");
  }
  if (error != MDB_NOTFOUND) return FailMdb("walk the free pages", error);
  return {};
}

Result<StoreFileReport> InspectLmdb(const std::string& path, StoreFileCheck check,
                                    const ReadView::CopyStep& step) {
  auto env = OpenMdbFileReadOnly(path);
  if (!env) return Fail(env.error());
  MDB_txn* begun = nullptr;
  if (const int error = mdb_txn_begin(env->get(), nullptr, MDB_RDONLY, &begun);
      error != MDB_SUCCESS)
    return FailMdb("read " + path, error);
  const MdbTxnHandle txn(begun);
  CollectionCatalog catalog;
  LmdbCollections collections(catalog);
  SB_RETURN_IF_ERROR(collections.Scan(txn.get()));
  SB_RETURN_IF_ERROR(CheckFreeList(env->get(), txn.get()));
  StoreFileReport report;
  auto stamped = ReadLmdbState(txn.get(), collections);
  if (!stamped) return Fail(stamped.error());
  report.state = std::move(stamped->state);
  report.is_foreign = stamped->commit_id != 0 && mdb_txn_id(txn.get()) != stamped->commit_id;
  if (check == StoreFileCheck::kState) return report;
  std::vector<std::string> names = collections.Names();
  StepCounter counter(step);
  if (collections.main_dbi() != LmdbCollections::kNone)
    names.insert(names.begin(), std::string(kMainCollectionName));
  for (std::string& name : names) {
    const bool is_main = &name == names.data() && collections.main_dbi() != LmdbCollections::kNone;
    MDB_dbi dbi = LmdbCollections::kMainDbi;
    if (!is_main) {
      if (const int error = mdb_dbi_open(txn.get(), name.c_str(), 0, &dbi); error != MDB_SUCCESS)
        return FailMdb("open database " + name, error);
    }
    auto digest = WalkDatabase(txn.get(), dbi, name, collections, counter);
    if (!digest) return Fail(digest.error());
    const bool is_served = is_main || collections.IsServable(name);
    if (is_served && digest->record_count > 0) report.collections.push_back(*std::move(digest));
  }
  std::sort(report.collections.begin(), report.collections.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return report;
}

Status CheckSqlite(sqlite3* db, const std::string& path, StoreFileCheck check) {
  auto checked = QuerySqliteText(
      db, check == StoreFileCheck::kQuick ? "PRAGMA quick_check(1)" : "PRAGMA integrity_check(1)");
  if (!checked) return Fail(checked.error());
  if (*checked == "ok") return {};
  return Fail(ErrorCode::kCorruption, path + ": " + *checked);
}

Result<StoreFileReport> InspectSqlite(const std::string& path, StoreFileCheck check,
                                      const ReadView::CopyStep& step) {
  SqliteOptions options;
  options.path = path;
  CollectionCatalog catalog;
  auto database = std::make_shared<SqliteDatabase>(options, catalog);
  StoreFileReport report;
  {
    auto db = OpenSqliteReader(options);
    if (!db) return Fail(db.error());
    if (check == StoreFileCheck::kQuick || check == StoreFileCheck::kThorough)
      SB_RETURN_IF_ERROR(CheckSqlite(db->get(), path, check));
    SB_RETURN_IF_ERROR(database->tables.Load(db->get()));
    auto versions = ReadSchemaVersions(db->get());
    if (!versions) return Fail(versions.error());
    report.schema_version = versions->empty() ? 0 : versions->back().version;
  }
  database->is_open = true;
  SqliteReadView view(database);
  SB_RETURN_IF_ERROR(view.Begin());
  auto state = view.State();
  if (!state) return Fail(state.error());
  report.state = *std::move(state);
  if (check == StoreFileCheck::kState) return report;
  auto digests = DigestCollections(view, catalog, step);
  if (!digests) return Fail(digests.error());
  report.collections = *std::move(digests);
  return report;
}

tl::unexpected<Error> FailUnknown(std::string_view engine) {
  return Fail(ErrorCode::kUnsupported, "a file of the engine '" + std::string(engine) + "'");
}

}  // namespace

Result<std::vector<CollectionDigest>> DigestCollections(ReadView& view, CollectionCatalog& catalog,
                                                        const ReadView::CopyStep& step) {
  auto names = view.CollectionNames();
  if (!names) return Fail(names.error());
  std::vector<CollectionDigest> digests;
  StepCounter counter(step);
  for (const std::string& name : *names) {
    auto collection = catalog.Intern(name);
    if (!collection) return Fail(collection.error());
    CollectionHasher hasher;
    Status stepped;
    SB_RETURN_IF_ERROR(
        view.Scan(**collection, "", [&](std::string_view key, std::string_view value) {
          hasher.Add(key, value);
          stepped = counter.Count(key.size() + value.size());
          return stepped.has_value();
        }));
    SB_RETURN_IF_ERROR(stepped);
    if (hasher.record_count() > 0) digests.push_back(hasher.Finish(name));
  }
  return digests;
}

Result<StoreFileReport> InspectStoreFile(std::string_view engine, const std::string& path,
                                         StoreFileCheck check, const ReadView::CopyStep& step) {
  if (engine == "lmdb") return InspectLmdb(path, check, step);
  if (engine == "sqlite") return InspectSqlite(path, check, step);
  return FailUnknown(engine);
}

Status CheckStoreStructure(std::string_view engine, const std::string& path) {
  if (engine == "lmdb") return {};
  if (engine != "sqlite") return FailUnknown(engine);
  SqliteOptions options;
  options.path = path;
  auto db = OpenSqliteReader(options);
  if (!db) return Fail(db.error());
  return CheckSqlite(db->get(), path, StoreFileCheck::kQuick);
}

}  // namespace switchback
