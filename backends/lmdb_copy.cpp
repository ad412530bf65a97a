#include "backends/lmdb_copy.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "backends/lmdb_collections.hpp"
#include "backends/lmdb_handles.hpp"
#include "common/check.hpp"
#include "common/failpoint.hpp"

namespace switchback {
namespace {

constexpr std::uint64_t kCopyStepBytes = 256u << 10;
// Committed in portions: a transaction's dirty pages are in memory, and their number is limited.
constexpr std::uint64_t kPortionBytes = 32u << 20;
constexpr std::uint64_t kMapBytesLeast = 1u << 20;
// What the new file is larger than the old one at the very worst: pages half empty.
constexpr std::uint64_t kMapFactor = 3;

class LmdbCopy {
 public:
  LmdbCopy(MDB_txn* source, MdbEnvHandle target, const ReadView::CopyStep& step)
      : source_(source), env_(std::move(target)), step_(step) {}

  Status Copy(const std::vector<std::string>& names) {
    SB_RETURN_IF_ERROR(BeginPortion());
    SB_RETURN_IF_ERROR(CopyDatabase(nullptr, names));
    for (const std::string& name : names) SB_RETURN_IF_ERROR(CopyDatabase(name.c_str(), names));
    return EndPortion();
  }

 private:
  Status CopyDatabase(const char* name, const std::vector<std::string>& names);
  Status CopyRecords(MDB_cursor* from, bool is_main, const std::vector<std::string>& names);
  Status OpenCursor();
  Status Count(std::uint64_t bytes);
  Status BeginPortion();
  Status EndPortion();

  MDB_txn* const source_;
  const MdbEnvHandle env_;
  const ReadView::CopyStep& step_;
  MdbTxnHandle txn_;
  MdbCursorHandle cursor_;
  MDB_dbi dbi_ = 0;  // being written to
  unsigned put_flags_ = 0;
  std::uint64_t portion_bytes_ = 0;
  std::uint64_t step_bytes_ = 0;
};

Status LmdbCopy::BeginPortion() {
  MDB_txn* begun = nullptr;
  if (const int error = mdb_txn_begin(env_.get(), nullptr, 0, &begun); error != MDB_SUCCESS)
    return FailMdb("copy: begin", error);
  txn_.reset(begun);
  portion_bytes_ = 0;
  return {};
}

Status LmdbCopy::EndPortion() {
  cursor_.reset();
  SB_RETURN_IF_ERROR(Failpoint("lmdb.copy"));
  if (const int error = CommitTxn(std::move(txn_)); error != MDB_SUCCESS)
    return FailMdb("copy: commit", error);
  if (step_bytes_ == 0) return {};
  return step_(std::exchange(step_bytes_, 0));
}

Status LmdbCopy::OpenCursor() {
  MDB_cursor* opened = nullptr;
  if (const int error = mdb_cursor_open(txn_.get(), dbi_, &opened); error != MDB_SUCCESS)
    return FailMdb("copy: cursor", error);
  cursor_.reset(opened);
  return {};
}

Status LmdbCopy::Count(std::uint64_t bytes) {
  step_bytes_ += bytes;
  portion_bytes_ += bytes;
  if (portion_bytes_ >= kPortionBytes) {
    SB_RETURN_IF_ERROR(EndPortion());
    SB_RETURN_IF_ERROR(BeginPortion());
    return OpenCursor();
  }
  if (step_bytes_ < kCopyStepBytes) return {};
  return step_(std::exchange(step_bytes_, 0));
}

// Handles of the source that are open stay so: asking for one by its name opens nothing.
Status LmdbCopy::CopyDatabase(const char* name, const std::vector<std::string>& names) {
  const std::string doing = std::string("copy: database ") + (name == nullptr ? "(main)" : name);
  MDB_dbi from = LmdbCollections::kMainDbi;
  int error = name == nullptr ? MDB_SUCCESS : mdb_dbi_open(source_, name, 0, &from);
  unsigned flags = 0;
  if (error == MDB_SUCCESS) error = mdb_dbi_flags(source_, from, &flags);
  if (error == MDB_SUCCESS) error = mdb_dbi_open(txn_.get(), name, flags | MDB_CREATE, &dbi_);
  MDB_cursor* opened = nullptr;
  if (error == MDB_SUCCESS) error = mdb_cursor_open(source_, from, &opened);
  if (error != MDB_SUCCESS) return FailMdb(doing, error);
  const MdbCursorHandle cursor(opened);
  put_flags_ = (flags & MDB_DUPSORT) != 0 ? MDB_APPENDDUP : MDB_APPEND;
  SB_RETURN_IF_ERROR(OpenCursor());
  return CopyRecords(cursor.get(), name == nullptr, names);
}

Status LmdbCopy::CopyRecords(MDB_cursor* from, bool is_main,
                             const std::vector<std::string>& names) {
  MDB_val key{};
  MDB_val value{};
  int error = MDB_SUCCESS;
  while ((error = mdb_cursor_get(from, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
    if (is_main && value.mv_size == LmdbCollections::kDatabaseRecordBytes &&
        std::binary_search(names.begin(), names.end(), FromMdb(key), std::less<>()))
      continue;
    if (error = mdb_cursor_put(cursor_.get(), &key, &value, put_flags_); error != MDB_SUCCESS)
      return FailMdb("copy: put", error);
    SB_RETURN_IF_ERROR(Count(key.mv_size + value.mv_size));
  }
  if (error != MDB_NOTFOUND) return FailMdb("copy: read", error);
  return {};
}

// LMDB tells a write that was cut short by a full disk as any other failed one: EIO.
bool IsDiskShort(const std::string& path) {
  struct statvfs space {};
  return ::statvfs(path.c_str(), &space) == 0 &&
         std::uint64_t{space.f_bavail} * space.f_frsize < kPortionBytes;
}

Result<MdbEnvHandle> MakeTarget(MDB_txn* source, const std::string& path) {
  MDB_envinfo info{};
  mdb_env_info(mdb_txn_env(source), &info);
  MDB_stat stat{};
  mdb_env_stat(mdb_txn_env(source), &stat);
  const std::uint64_t map_bytes =
      std::max(kMapBytesLeast, kMapFactor * (info.me_last_pgno + 16) * stat.ms_psize);
  MDB_env* made = nullptr;
  int error = mdb_env_create(&made);
  if (error != MDB_SUCCESS) return FailMdb("copy: create", error);
  MdbEnvHandle env(made);
  if (error == MDB_SUCCESS) error = mdb_env_set_maxdbs(env.get(), kLmdbDatabaseCountMax);
  if (error == MDB_SUCCESS) error = mdb_env_set_mapsize(env.get(), map_bytes);
  // NOSYNC: a copy that was not finished and synced is thrown away.
  if (error == MDB_SUCCESS)
    error = mdb_env_open(env.get(), path.c_str(),
                         MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC | MDB_NOTLS, 0600);
  if (error != MDB_SUCCESS) return FailMdb("copy to " + path, error);
  return env;
}

}  // namespace

Status WriteLmdbCopy(MDB_txn* txn, const std::vector<std::string>& names, const std::string& path,
                     const ReadView::CopyStep& step) {
  SB_CHECK(std::is_sorted(names.begin(), names.end()), "names are looked up");
  if (::access(path.c_str(), F_OK) == 0)
    return Fail(ErrorCode::kConflict, path + " is there already");
  auto target = MakeTarget(txn, path);
  if (!target) return Fail(target.error());
  auto copied = LmdbCopy(txn, *std::move(target), step).Copy(names);
  if (!copied && copied.error().code == ErrorCode::kIo && IsDiskShort(path))
    return Fail(ErrorCode::kNoSpace, copied.error().message + ": the disk is full");
  return copied;
}

}  // namespace switchback
