#include "backends/lmdb_collections.hpp"

#include <algorithm>
#include <utility>

#include "backends/lmdb_handles.hpp"
#include "common/check.hpp"

namespace switchback {
namespace {

const std::string kStateName(kReservedName);

}  // namespace

std::string LmdbReasonAgainst(unsigned flags) {
  constexpr unsigned kKnown = MDB_DUPSORT | MDB_INTEGERKEY | MDB_REVERSEKEY | MDB_DUPFIXED |
                              MDB_INTEGERDUP | MDB_REVERSEDUP;
  std::string reason;
  if ((flags & MDB_DUPSORT) != 0) reason += "MDB_DUPSORT: a key may have several values; ";
  if ((flags & MDB_INTEGERKEY) != 0) reason += "MDB_INTEGERKEY: keys are native integers; ";
  if ((flags & MDB_REVERSEKEY) != 0) reason += "MDB_REVERSEKEY: keys sort from their end; ";
  if ((flags & MDB_DUPFIXED) != 0) reason += "MDB_DUPFIXED: values of one size; ";
  if ((flags & MDB_INTEGERDUP) != 0) reason += "MDB_INTEGERDUP: values are native integers; ";
  if ((flags & MDB_REVERSEDUP) != 0) reason += "MDB_REVERSEDUP: values sort from their end; ";
  if ((flags & ~kKnown) != 0) reason += "flags unknown to this version; ";
  if (!reason.empty()) reason.resize(reason.size() - 2);
  return reason;
}

LmdbCollections::LmdbCollections(CollectionCatalog& catalog) : catalog_(catalog) {
  for (auto& dbi : dbis_) dbi.store(kNone, std::memory_order_relaxed);
}

void LmdbCollections::Clear() {
  for (auto& dbi : dbis_) dbi.store(kNone, std::memory_order_relaxed);
  main_dbi_.store(kNone, std::memory_order_relaxed);
  state_dbi_.store(kNone, std::memory_order_release);
  made_.clear();
  made_state_dbi_ = kNone;
  unservable_.clear();
  MutexLock lock(mutex_);
  names_.clear();
}

Status LmdbCollections::Scan(MDB_txn* txn) {
  Clear();
  SB_RETURN_IF_ERROR(ScanMain(txn));
  return ScanNamed(txn);
}

Status LmdbCollections::ScanMain(MDB_txn* txn) {
  MDB_dbi dbi = kNone;
  unsigned flags = 0;
  int error = mdb_dbi_open(txn, nullptr, 0, &dbi);
  if (error == MDB_SUCCESS) error = mdb_dbi_flags(txn, dbi, &flags);
  if (error != MDB_SUCCESS) return FailMdb("open the main database", error);
  SB_CHECK(dbi == kMainDbi, "the main database has LMDB's fixed handle");
  if (auto reason = LmdbReasonAgainst(flags); !reason.empty()) {
    unservable_.push_back({std::string(kMainCollectionName), std::move(reason)});
  } else {
    main_dbi_.store(dbi, std::memory_order_release);
  }
  return {};
}

// A record of the main database is a database when it can be opened as one: LMDB looks at a flag of
// the node that its interface does not show, and says MDB_INCOMPATIBLE otherwise. Nothing is
// changed by asking.
Status LmdbCollections::ScanNamed(MDB_txn* txn) {
  MDB_cursor* opened = nullptr;
  int error = mdb_cursor_open(txn, kMainDbi, &opened);
  if (error != MDB_SUCCESS) return FailMdb("scan the main database", error);
  const MdbCursorHandle cursor(opened);
  MDB_val key{};
  MDB_val value{};
  while ((error = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
    if (value.mv_size != kDatabaseRecordBytes) continue;
    const std::string name(FromMdb(key));
    // LMDB takes names as C strings, so that a key with a zero byte cannot be one.
    if (name.find('\0') != std::string::npos) continue;
    MDB_dbi dbi = kNone;
    error = mdb_dbi_open(txn, name.c_str(), 0, &dbi);
    if (error == MDB_INCOMPATIBLE || error == MDB_NOTFOUND) continue;
    if (error == MDB_DBS_FULL) {
      return Fail(ErrorCode::kTooLarge, "the environment holds more than " +
                                            std::to_string(kCollectionCountMax) + " databases");
    }
    if (error != MDB_SUCCESS) return FailMdb("open database " + name, error);
    SB_RETURN_IF_ERROR(AddDatabase(txn, name, dbi));
  }
  if (error != MDB_NOTFOUND) return FailMdb("scan the main database", error);
  return {};
}

Status LmdbCollections::AddDatabase(MDB_txn* txn, const std::string& name, MDB_dbi dbi) {
  unsigned flags = 0;
  const int error = mdb_dbi_flags(txn, dbi, &flags);
  if (error != MDB_SUCCESS) return FailMdb("read the flags of database " + name, error);
  {
    MutexLock lock(mutex_);
    const bool is_new = names_.insert(name).second;
    SB_CHECK(is_new, "a database has one name");
  }
  std::string reason = LmdbReasonAgainst(flags);
  if (name == kStateName) {
    if (!reason.empty()) {
      return Fail(ErrorCode::kRefused, "database " + name + " is not ours: " + reason);
    }
    state_dbi_.store(dbi, std::memory_order_release);
    return {};
  }
  if (reason.empty() && name == kMainCollectionName) {
    reason = "this name stands for the records of the main database";
  }
  const Collection* collection = nullptr;
  if (reason.empty()) {
    if (auto known = catalog_.Intern(name); known) {
      collection = *known;
    } else {
      reason = known.error().message;
    }
  }
  if (collection == nullptr) {
    unservable_.push_back({name, std::move(reason)});
    return {};
  }
  dbis_[collection->index].store(dbi, std::memory_order_release);
  return {};
}

bool LmdbCollections::IsDatabase(std::string_view key) const {
  MutexLock lock(mutex_);
  return names_.find(key) != names_.end();
}

std::vector<std::string> LmdbCollections::Names() const {
  MutexLock lock(mutex_);
  return {names_.begin(), names_.end()};
}

bool LmdbCollections::IsServable(const std::string& name) const {
  return name != kStateName &&
         std::none_of(unservable_.begin(), unservable_.end(),
                      [&](const UnservableCollection& one) { return one.name == name; });
}

Result<MDB_dbi> LmdbCollections::Make(MDB_txn* txn, const std::string& name) {
  MDB_dbi dbi = kNone;
  const int error = mdb_dbi_open(txn, name.c_str(), MDB_CREATE, &dbi);
  if (error == MDB_INCOMPATIBLE) {
    return Fail(ErrorCode::kInvalidArgument,
                "database " + name + " cannot be made: the main database holds a record of that " +
                    "key, or is itself unservable");
  }
  if (error != MDB_SUCCESS) return FailMdb("make database " + name, error);
  // Known as a database before it is committed: no scan of the main database takes it for a record.
  MutexLock lock(mutex_);
  names_.insert(name);
  return dbi;
}

bool LmdbCollections::HasMade(const Collection& collection) const {
  return std::any_of(made_.begin(), made_.end(),
                     [&](const Made& made) { return made.collection == &collection; });
}

Result<MDB_dbi> LmdbCollections::OpenForWrite(MDB_txn* txn, const Collection& collection) {
  SB_CHECK(collection.index < dbis_.size(), "the catalog hands out bounded indexes");
  if (const MDB_dbi dbi = Find(collection); dbi != kNone) return dbi;
  for (const Made& made : made_) {
    if (made.collection == &collection) return made.dbi;
  }
  if (!IsServable(collection.name)) {
    return Fail(ErrorCode::kRefused, "database " + collection.name + " cannot be served");
  }
  auto dbi = Make(txn, collection.name);
  if (dbi) made_.push_back({&collection, *dbi});
  return dbi;
}

Result<MDB_dbi> LmdbCollections::OpenStateForWrite(MDB_txn* txn) {
  if (const MDB_dbi dbi = state_dbi(); dbi != kNone) return dbi;
  SB_CHECK(made_state_dbi_ == kNone, "the state is written once a transaction");
  auto dbi = Make(txn, kStateName);
  if (dbi) made_state_dbi_ = *dbi;
  return dbi;
}

void LmdbCollections::PublishMade() {
  for (const Made& made : made_) {
    SB_CHECK(dbis_[made.collection->index].load(std::memory_order_relaxed) == kNone,
             "a database is made once");
    dbis_[made.collection->index].store(made.dbi, std::memory_order_release);
  }
  made_.clear();
  if (made_state_dbi_ != kNone) state_dbi_.store(made_state_dbi_, std::memory_order_release);
  made_state_dbi_ = kNone;
}

void LmdbCollections::ForgetMade() {
  MutexLock lock(mutex_);
  for (const Made& made : made_) names_.erase(made.collection->name);
  made_.clear();
  if (made_state_dbi_ != kNone) names_.erase(kStateName);
  made_state_dbi_ = kNone;
}

void LmdbCollections::ForgetState() {
  state_dbi_.store(kNone, std::memory_order_release);
  MutexLock lock(mutex_);
  names_.erase(kStateName);
}

}  // namespace switchback
