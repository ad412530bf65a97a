#include "backends/lmdb_environment.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "common/check.hpp"
#include "common/file.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

// LMDB's locks belong to the process: a second handle on the same environment would drop the locks
// of the first when it closes.
Mutex claims_mutex;
std::set<std::string>& Claims() SB_REQUIRES(claims_mutex) {
  static std::set<std::string> claims;
  return claims;
}

bool Claim(const std::string& path) {
  MutexLock lock(claims_mutex);
  return Claims().insert(path).second;
}

void Unclaim(const std::string& path) {
  MutexLock lock(claims_mutex);
  Claims().erase(path);
}

constexpr std::uint64_t kMapBytesStep = 1ull << 20;
constexpr const char* kResetSuffix = ".reset";

}  // namespace

LmdbEnvironment::LmdbEnvironment(LmdbOptions options, CollectionCatalog& catalog)
    : options_(std::move(options)), path_(options_.path), collections_(catalog) {
  is_claimed_ = Claim(options_.path);
}

LmdbEnvironment::~LmdbEnvironment() {
  Close();
  if (is_claimed_) Unclaim(path());
}

std::string LmdbEnvironment::path() const {
  MutexLock lock(path_mutex_);
  return path_;
}

Status LmdbEnvironment::SetPath(const std::string& path) {
  SB_CHECK(env_ == nullptr, "an environment moves while closed");
  if (!Claim(path)) return Fail(ErrorCode::kConflict, path + " is open in this process already");
  MutexLock lock(path_mutex_);
  if (is_claimed_) Unclaim(path_);
  is_claimed_ = true;
  options_.create = true;
  path_ = path;
  return {};
}

std::string LmdbEnvironment::DataPath() const {
  return is_file_ ? path() : path() + "/data.mdb";
}

std::string LmdbEnvironment::LockPath() const {
  return is_file_ ? path() + "-lock" : path() + "/lock.mdb";
}

Status LmdbEnvironment::PrepareNew() {
  struct stat info {};
  if (::stat(path().c_str(), &info) == 0) {
    is_file_ = !S_ISDIR(info.st_mode);
  } else {
    is_file_ = options_.is_file;
  }
  if (::access(DataPath().c_str(), F_OK) == 0) return {};
  if (!options_.create) {
    return Fail(ErrorCode::kNotFound, "no LMDB environment at " + path());
  }
  return MakeDirectories(is_file_ ? ParentDirectory(path()) : path());
}

Status LmdbEnvironment::Open() {
  SB_CHECK(env_ == nullptr, "an environment opens once");
  if (!is_claimed_) {
    return Fail(ErrorCode::kConflict, path() + " is open in this process already");
  }
  SB_RETURN_IF_ERROR(PrepareNew());
  auto env = OpenMdbEnv(path(), is_file_, options_.map_bytes_min);
  if (!env) return Fail(env.error());
  // The name of a data file made just now must survive a power cut as well as its content.
  SB_RETURN_IF_ERROR(SyncDirectory(ParentDirectory(DataPath())));
  env_ = *std::move(env);
  if (auto scanned = ScanCollections(); !scanned) {
    Close();
    return Fail(WithContext(scanned.error(), "open LMDB environment " + path()));
  }
  return {};
}

Status LmdbEnvironment::ScanCollections() {
  MDB_txn* begun = nullptr;
  int error = mdb_txn_begin(env_.get(), nullptr, MDB_RDONLY, &begun);
  // A process that grew the map since the size was read from the file; ours follows.
  if (error == MDB_MAP_RESIZED) {
    SB_RETURN_IF_ERROR(SetMapBytes(0));
    error = mdb_txn_begin(env_.get(), nullptr, MDB_RDONLY, &begun);
  }
  if (error != MDB_SUCCESS) return FailMdb("begin", error);
  MdbTxnHandle txn(begun);
  SB_RETURN_IF_ERROR(collections_.Scan(txn.get()));
  // Committing a read transaction changes nothing in the file: it keeps the handles opened in it.
  error = CommitTxn(std::move(txn));
  if (error != MDB_SUCCESS) return FailMdb("keep the databases' handles", error);
  return {};
}

void LmdbEnvironment::Close() noexcept {
  env_.reset();
  collections_.Clear();
}

Status LmdbEnvironment::ReplaceByEmpty() {
  SB_CHECK(env_ == nullptr, "files are replaced while closed");
  const std::string fresh = DataPath() + kResetSuffix;
  const std::string fresh_lock = fresh + "-lock";
  ::unlink(fresh.c_str());
  ::unlink(fresh_lock.c_str());
  if (auto made = OpenMdbEnv(fresh, /*is_file=*/true, kMapBytesStep); !made) {
    return Fail(made.error());
  }
  ::unlink(fresh_lock.c_str());
  struct stat info {};
  if (::stat(DataPath().c_str(), &info) == 0) {
    // As the owner of the environment had it. Not being allowed to is no reason to stop.
    if (::chmod(fresh.c_str(), info.st_mode & 07777) != 0 ||
        ::chown(fresh.c_str(), info.st_uid, info.st_gid) != 0) {
      LogWarning("LMDB {}: cannot keep owner and mode of the data file", path());
    }
  }
  // The lock file goes first: it holds the transaction id of the old file, and a foreign reader may
  // keep it from being initialised anew.
  if (::unlink(LockPath().c_str()) != 0 && errno != ENOENT) {
    return FailErrno("remove " + LockPath(), errno);
  }
  if (::rename(fresh.c_str(), DataPath().c_str()) != 0) {
    return FailErrno("rename " + fresh, errno);
  }
  return SyncDirectory(ParentDirectory(DataPath()));
}

void LmdbEnvironment::BeginPublication() noexcept {
  const std::uint64_t before = publication_.fetch_add(1, std::memory_order_seq_cst);
  SB_CHECK(before % 2 == 0, "one publication at a time");
}

void LmdbEnvironment::EndPublication() noexcept {
  const std::uint64_t before = publication_.fetch_add(1, std::memory_order_seq_cst);
  SB_CHECK(before % 2 == 1, "only a publication that began ends");
}

std::uint64_t LmdbEnvironment::LastCommitId() const {
  MDB_envinfo info{};
  const int error = mdb_env_info(env_.get(), &info);
  SB_CHECK(error == MDB_SUCCESS, "an open environment knows its state");
  return info.me_last_txnid;
}

std::uint64_t LmdbEnvironment::map_bytes() const {
  MDB_envinfo info{};
  const int error = mdb_env_info(env_.get(), &info);
  SB_CHECK(error == MDB_SUCCESS, "an open environment knows its state");
  return info.me_mapsize;
}

std::uint64_t LmdbEnvironment::used_bytes() const {
  MDB_envinfo info{};
  MDB_stat stat{};
  int error = mdb_env_info(env_.get(), &info);
  if (error == MDB_SUCCESS) error = mdb_env_stat(env_.get(), &stat);
  SB_CHECK(error == MDB_SUCCESS, "an open environment knows its state");
  return (info.me_last_pgno + 1) * stat.ms_psize;
}

std::uint64_t LmdbEnvironment::FileBytes() const {
  struct stat info {};
  if (::stat(DataPath().c_str(), &info) != 0) return 0;
  return static_cast<std::uint64_t>(info.st_size);
}

bool LmdbEnvironment::IsDiskShortOf(std::uint64_t bytes) const {
  struct statvfs info {};
  if (::statvfs(DataPath().c_str(), &info) != 0) return false;
  return std::uint64_t{info.f_bavail} * info.f_frsize < bytes;
}

Status LmdbEnvironment::SetMapBytes(std::uint64_t bytes) {
  const int error = mdb_env_set_mapsize(env_.get(), bytes);
  if (error != MDB_SUCCESS) return FailMdb("set the map size", error);
  return {};
}

Status LmdbEnvironment::GrowMap(std::uint64_t bytes_more, std::chrono::milliseconds wait_max) {
  const std::uint64_t before = map_bytes();
  const std::uint64_t wanted = std::max(before * 2, used_bytes() + bytes_more * 2);
  const std::uint64_t after = (wanted + kMapBytesStep - 1) / kMapBytesStep * kMapBytesStep;
  const ClosedGate parked(gate_, wait_max);
  SB_RETURN_IF_ERROR(parked.status());
  if (auto grown = SetMapBytes(after); !grown) {
    // LMDB has unmapped the old map by now. Without any map nothing works until Reopen.
    if (auto undone = SetMapBytes(before); !undone) {
      gate_.DropAllHandles();
      Close();
      return Fail(WithContext(undone.error(), "the map is lost, reopen"));
    }
    return Fail(ErrorCode::kNoSpace, grown.error().message);
  }
  SB_CHECK(map_bytes() >= after, "the map has grown");
  map_growths_.fetch_add(1, std::memory_order_relaxed);
  LogInfo("LMDB {}: map grown from {} to {} MiB", path(), before >> 20, after >> 20);
  return {};
}

Status LmdbEnvironment::TakeOverMapSize(std::chrono::milliseconds wait_max) {
  const ClosedGate parked(gate_, wait_max);
  SB_RETURN_IF_ERROR(parked.status());
  return SetMapBytes(0);
}

}  // namespace switchback
