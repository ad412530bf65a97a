#include "backends/lmdb_effect_writer.hpp"

#include "backends/effect_check.hpp"
#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/periodic_yield.hpp"

namespace switchback {
namespace {

// Looking for the last key costs a descent, which a run of puts this long pays back.
constexpr std::size_t kAppendRunCountMin = 16;

}  // namespace

Status LmdbEffectWriter::Check(int error, const char* doing) {
  if (error == MDB_SUCCESS) [[likely]]
    return {};
  is_map_full_ = error == MDB_MAP_FULL;
  return FailMdb(doing, error);
}

Status LmdbEffectWriter::OpenCursor() {
  SB_CHECK(dbi_ != LmdbCollections::kNone, "a cursor belongs to a database");
  MDB_cursor* opened = nullptr;
  SB_RETURN_IF_ERROR(Check(mdb_cursor_open(txn_, dbi_, &opened), "open a cursor"));
  cursor_.reset(opened);
  return {};
}

// Deletes and clears do not make a collection: dbi_ stays kNone when there is none.
Status LmdbEffectWriter::MoveTo(const Collection& collection, bool is_creating) {
  const bool is_there = collection_ == &collection;
  if (is_there && (dbi_ != LmdbCollections::kNone || !is_creating)) [[likely]]
    return {};
  cursor_.reset();
  collection_ = &collection;
  is_appending_ = false;
  dbi_ = collections_.Find(collection);
  // OpenForWrite also knows the databases made earlier in this transaction.
  if (dbi_ == LmdbCollections::kNone && (is_creating || collections_.HasMade(collection))) {
    auto opened = collections_.OpenForWrite(txn_, collection);
    if (!opened) return Fail(opened.error());
    dbi_ = *opened;
  }
  return dbi_ == LmdbCollections::kNone ? Status{} : OpenCursor();
}

// MDB_APPEND fills pages to the brim instead of splitting them in halves, and is the fastest load
// there is. LMDB itself checks that the key sorts last, so that a wrong guess is harmless.
bool LmdbEffectWriter::IsRunAppending(const Effect& first, std::span<const Effect> following) {
  if (following.size() < kAppendRunCountMin) return false;
  const Effect& later = following[kAppendRunCountMin - 1];
  if (later.collection != first.collection || later.kind != EffectKind::kPut) return false;
  if (later.key <= first.key) return false;
  MDB_val last_key{};
  MDB_val last_value{};
  const int error = mdb_cursor_get(cursor_.get(), &last_key, &last_value, MDB_LAST);
  return error == MDB_NOTFOUND || (error == MDB_SUCCESS && FromMdb(last_key) < first.key);
}

Status LmdbEffectWriter::Put(const Effect& effect, std::span<const Effect> following) {
  const bool is_moving = collection_ != effect.collection || dbi_ == LmdbCollections::kNone;
  SB_RETURN_IF_ERROR(MoveTo(*effect.collection, /*is_creating=*/true));
  if (is_moving) is_appending_ = IsRunAppending(effect, following);
  // LMDB would refuse as well; the service has refused before: three lines of defence, since what
  // is at stake is a whole database of the user's.
  if (LmdbCollections::IsMain(dbi_) && collections_.IsDatabase(effect.key)) [[unlikely]] {
    return Fail(ErrorCode::kInvalidArgument,
                "put: this key of the main database is the name of a database");
  }
  MDB_val key = ToMdb(effect.key);
  MDB_val value = ToMdb(effect.value);
  if (is_appending_) {
    const int error = mdb_cursor_put(cursor_.get(), &key, &value, MDB_APPEND);
    if (error != MDB_KEYEXIST) return Check(error, "put");
    is_appending_ = false;
    value = ToMdb(effect.value);
  }
  return Check(mdb_cursor_put(cursor_.get(), &key, &value, 0), "put");
}

Status LmdbEffectWriter::Delete(const Effect& effect) {
  SB_RETURN_IF_ERROR(MoveTo(*effect.collection, /*is_creating=*/false));
  if (dbi_ == LmdbCollections::kNone) return {};
  // A database's name is not a record of the main database: there is nothing to delete.
  if (LmdbCollections::IsMain(dbi_) && collections_.IsDatabase(effect.key)) return {};
  MDB_val key = ToMdb(effect.key);
  MDB_val value{};
  const int error = mdb_cursor_get(cursor_.get(), &key, &value, MDB_SET);
  if (error == MDB_NOTFOUND) return {};
  SB_RETURN_IF_ERROR(Check(error, "delete"));
  return Check(mdb_cursor_del(cursor_.get(), 0), "delete");
}

Status LmdbEffectWriter::ClearMain() {
  MDB_val key{};
  MDB_val value{};
  int error = mdb_cursor_get(cursor_.get(), &key, &value, MDB_FIRST);
  while (error == MDB_SUCCESS) {
    const bool is_database = value.mv_size == LmdbCollections::kDatabaseRecordBytes &&
                             collections_.IsDatabase(FromMdb(key));
    if (!is_database) SB_RETURN_IF_ERROR(Check(mdb_cursor_del(cursor_.get(), 0), "clear"));
    // After a delete this is the record that followed the deleted one.
    error = mdb_cursor_get(cursor_.get(), &key, &value, MDB_NEXT);
  }
  return error == MDB_NOTFOUND ? Status{} : Check(error, "clear");
}

Status LmdbEffectWriter::Clear(const Effect& effect) {
  SB_RETURN_IF_ERROR(MoveTo(*effect.collection, /*is_creating=*/false));
  if (dbi_ == LmdbCollections::kNone) return {};
  is_appending_ = false;
  if (LmdbCollections::IsMain(dbi_)) return ClearMain();
  cursor_.reset();
  SB_RETURN_IF_ERROR(Check(mdb_drop(txn_, dbi_, 0), "clear"));
  return OpenCursor();
}

Status LmdbEffectWriter::WriteAll(std::span<const Effect> effects) {
  PeriodicYield turns;
  for (std::size_t at = 0; at < effects.size(); ++at) {
    turns.Step();
    const Effect& effect = effects[at];
    SB_RETURN_IF_ERROR(Failpoint("lmdb.put"));
    SB_RETURN_IF_ERROR(CheckEffect(effect));
    switch (effect.kind) {
      case EffectKind::kPut: SB_RETURN_IF_ERROR(Put(effect, effects.subspan(at + 1))); break;
      case EffectKind::kDelete: SB_RETURN_IF_ERROR(Delete(effect)); break;
      case EffectKind::kClear: SB_RETURN_IF_ERROR(Clear(effect)); break;
    }
  }
  return {};
}

}  // namespace switchback
