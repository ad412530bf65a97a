#include "backends/lmdb_read_view.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "backends/lmdb_copy.hpp"
#include "common/check.hpp"
#include "common/failpoint.hpp"

namespace switchback {
namespace {

constexpr std::chrono::microseconds kLookAgainAfter{50};

// LMDB's answers for "no such record" and for a database that does not exist, or not in this
// snapshot: kNone or a handle newer than the transaction (EINVAL from most calls), or one whose
// database another process has dropped.
bool IsAbsent(int error) {
  return error == MDB_NOTFOUND || error == MDB_BAD_DBI || error == EINVAL;
}

}  // namespace

Result<StampedState> ReadLmdbState(MDB_txn* txn, const LmdbCollections& collections) {
  const MDB_dbi dbi = collections.state_dbi();
  if (dbi == LmdbCollections::kNone) return StampedState{};
  MDB_val key = ToMdb(kLmdbStateKey);
  MDB_val value{};
  const int error = mdb_get(txn, dbi, &key, &value);
  if (IsAbsent(error)) return StampedState{};
  if (error != MDB_SUCCESS) return FailMdb("read the store's state", error);
  return DecodeStoreState(FromMdb(value));
}

LmdbReadView::LmdbReadView(std::shared_ptr<LmdbEnvironment> environment)
    : environment_(std::move(environment)) {
  environment_->gate().Register(*this);
}

LmdbReadView::~LmdbReadView() {
  End();
  environment_->gate().Unregister(*this);
}

int LmdbReadView::Renew() {
  if (txn_ != nullptr) {
    const int error = mdb_txn_renew(txn_.get());
    if (error == MDB_SUCCESS) return error;
    txn_.reset();
    if (error == MDB_PANIC || error == MDB_MAP_RESIZED) return error;
  }
  MDB_env* env = environment_->env();
  MDB_txn* begun = nullptr;
  int error = mdb_txn_begin(env, nullptr, MDB_RDONLY, &begun);
  if (error == MDB_READERS_FULL) {
    // Processes that were killed leave their slots behind.
    int dead_count = 0;
    mdb_reader_check(env, &dead_count);
    if (dead_count > 0) error = mdb_txn_begin(env, nullptr, MDB_RDONLY, &begun);
  }
  if (error == MDB_SUCCESS) txn_.reset(begun);
  return error;
}

Status LmdbReadView::RenewBehindPublication() {
  const auto deadline = std::chrono::steady_clock::now() + kGateEnterWaitMax;
  while (true) {
    const std::uint64_t before = environment_->Publication();
    if (before % 2 == 0) {
      if (const int error = Renew(); error != MDB_SUCCESS)
        return FailMdb("begin a snapshot", error);
      if (environment_->Publication() == before) return {};
      mdb_txn_reset(txn_.get());
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return Fail(ErrorCode::kUnavailable, "begin a snapshot: a commit has been running too long");
    }
    std::this_thread::sleep_for(kLookAgainAfter);
  }
}

Status LmdbReadView::Begin() {
  SB_CHECK(!is_active_, "a read view has one snapshot at a time");
  SB_RETURN_IF_ERROR(Failpoint("lmdb.read"));
  SB_RETURN_IF_ERROR(environment_->gate().Enter(*this));
  if (environment_->env() == nullptr) [[unlikely]] {
    environment_->gate().Leave(*this);
    return Fail(ErrorCode::kUnavailable, "begin a snapshot: the environment is not open");
  }
  const std::uint64_t before = environment_->Publication();
  if (before % 2 == 0 && txn_ != nullptr && mdb_txn_renew(txn_.get()) == MDB_SUCCESS) [[likely]] {
    if (environment_->Publication() == before) [[likely]] {
      is_active_ = true;
      return {};
    }
    mdb_txn_reset(txn_.get());
  }
  if (auto renewed = RenewBehindPublication(); !renewed) {
    environment_->gate().Leave(*this);
    return renewed;
  }
  is_active_ = true;
  return {};
}

void LmdbReadView::End() noexcept {
  if (!is_active_) return;
  SB_CHECK(txn_ != nullptr, "an active snapshot has a transaction");
  mdb_txn_reset(txn_.get());
  is_active_ = false;
  environment_->gate().Leave(*this);
}

bool LmdbReadView::IsDatabaseRecord(MDB_dbi dbi, std::string_view key, const MDB_val& value) const {
  return LmdbCollections::IsMain(dbi) && value.mv_size == LmdbCollections::kDatabaseRecordBytes &&
         environment_->collections().IsDatabase(key);
}

Result<std::optional<std::string_view>> LmdbReadView::Get(const Collection& collection,
                                                          std::string_view key) {
  SB_CHECK(is_active_, "reads need a snapshot");
  SB_RETURN_IF_ERROR(Failpoint("lmdb.read"));
  const MDB_dbi dbi = environment_->collections().Find(collection);
  MDB_val wanted = ToMdb(key);
  MDB_val value{};
  const int error = mdb_get(txn_.get(), dbi, &wanted, &value);
  if (error == MDB_SUCCESS) [[likely]] {
    if (IsDatabaseRecord(dbi, key, value)) [[unlikely]]
      return std::optional<std::string_view>();
    return std::optional<std::string_view>(FromMdb(value));
  }
  // An empty key is no key of LMDB's, so that nothing has it.
  if (IsAbsent(error) || error == MDB_BAD_VALSIZE) return std::optional<std::string_view>();
  return FailMdb("get", error);
}

Status LmdbReadView::Scan(const Collection& collection, std::string_view from,
                          const Visitor& visit) {
  SB_CHECK(is_active_, "reads need a snapshot");
  SB_RETURN_IF_ERROR(Failpoint("lmdb.read"));
  const MDB_dbi dbi = environment_->collections().Find(collection);
  if (dbi == LmdbCollections::kNone) return {};
  MDB_cursor* opened = nullptr;
  int error = mdb_cursor_open(txn_.get(), dbi, &opened);
  if (IsAbsent(error)) return {};
  if (error != MDB_SUCCESS) return FailMdb("scan", error);
  const MdbCursorHandle cursor(opened);
  MDB_val key = ToMdb(from);
  MDB_val value{};
  error = mdb_cursor_get(cursor.get(), &key, &value, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
  while (error == MDB_SUCCESS) {
    const std::string_view found = FromMdb(key);
    if (!IsDatabaseRecord(dbi, found, value) && !visit(found, FromMdb(value))) return {};
    error = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT);
  }
  if (error != MDB_NOTFOUND) return FailMdb("scan", error);
  return {};
}

Result<std::uint64_t> LmdbReadView::EntryCount(MDB_dbi dbi) {
  if (dbi == LmdbCollections::kNone) return 0;
  MDB_stat stat{};
  const int error = mdb_stat(txn_.get(), dbi, &stat);
  if (IsAbsent(error)) return 0;
  if (error != MDB_SUCCESS) return FailMdb("count", error);
  return stat.ms_entries;
}

Result<std::vector<std::string>> LmdbReadView::Databases() {
  std::vector<std::string> present;
  for (std::string& name : environment_->collections().Names()) {
    MDB_val key = ToMdb(name);
    MDB_val value{};
    const int error = mdb_get(txn_.get(), LmdbCollections::kMainDbi, &key, &value);
    if (error == MDB_NOTFOUND) continue;
    if (error != MDB_SUCCESS) return FailMdb("look up database " + name, error);
    if (value.mv_size != LmdbCollections::kDatabaseRecordBytes)
      return Fail(ErrorCode::kForeignWrite,
                  "another process has put a record in place of database " + name);
    present.push_back(std::move(name));
  }
  return present;
}

Result<std::uint64_t> LmdbReadView::Count(const Collection& collection) {
  SB_CHECK(is_active_, "reads need a snapshot");
  SB_RETURN_IF_ERROR(Failpoint("lmdb.read"));
  const MDB_dbi dbi = environment_->collections().Find(collection);
  auto entries = EntryCount(dbi);
  if (!entries || !LmdbCollections::IsMain(dbi)) return entries;
  auto databases = Databases();
  if (!databases) return Fail(databases.error());
  SB_CHECK(*entries >= databases->size(), "each database is an entry of the main database");
  return *entries - databases->size();
}

Result<std::vector<std::string>> LmdbReadView::CollectionNames() {
  SB_CHECK(is_active_, "reads need a snapshot");
  SB_RETURN_IF_ERROR(Failpoint("lmdb.read"));
  auto databases = Databases();
  if (!databases) return databases;
  std::vector<std::string> names;
  const LmdbCollections& collections = environment_->collections();
  const MDB_dbi main_dbi = collections.main_dbi();
  auto main_entries = EntryCount(main_dbi);
  if (!main_entries) return Fail(main_entries.error());
  if (main_dbi != LmdbCollections::kNone && *main_entries > databases->size()) {
    names.emplace_back(kMainCollectionName);
  }
  for (std::string& name : *databases) {
    if (collections.IsServable(name)) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Status LmdbReadView::CopyTo(const std::string& path, const CopyStep& step) {
  SB_CHECK(is_active_, "a copy needs a snapshot");
  auto databases = Databases();
  if (!databases) return Fail(databases.error());
  return WriteLmdbCopy(txn_.get(), *databases, path, step);
}

Result<StoreState> LmdbReadView::State() {
  SB_CHECK(is_active_, "reads need a snapshot");
  SB_RETURN_IF_ERROR(Failpoint("lmdb.read"));
  auto stamped = ReadLmdbState(txn_.get(), environment_->collections());
  if (!stamped) return Fail(stamped.error());
  return std::move(stamped->state);
}

}  // namespace switchback
