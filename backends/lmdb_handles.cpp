#include "backends/lmdb_handles.hpp"

#include <cerrno>

#include "backends/collection.hpp"
#include "common/check.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

static_assert(kLmdbDatabaseCountMax >= kCollectionCountMax + 8);
static_assert((kLmdbEnvFlags & (MDB_NOSYNC | MDB_WRITEMAP | MDB_MAPASYNC)) == 0,
              "these corrupt the store when the power fails");

// Halving stops here: whatever grants less than this has no room for a store.
constexpr std::uint64_t kMapBytesLeast = 16ull << 20;

ErrorCode CodeOf(int mdb_error) {
  switch (mdb_error) {
    case ENOSPC:
    case EDQUOT:
    case MDB_MAP_FULL: return ErrorCode::kNoSpace;
    case ENOENT: return ErrorCode::kNotFound;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID: return ErrorCode::kCorruption;
    case MDB_VERSION_MISMATCH: return ErrorCode::kUnsupported;
    case MDB_PANIC: return ErrorCode::kUnknownOutcome;
    case MDB_BAD_VALSIZE:
    case MDB_INCOMPATIBLE: return ErrorCode::kInvalidArgument;
    case MDB_TXN_FULL:
    case MDB_DBS_FULL: return ErrorCode::kTooLarge;
    case MDB_READERS_FULL:
    case MDB_MAP_RESIZED: return ErrorCode::kUnavailable;
    default: return ErrorCode::kIo;
  }
}

Result<MdbEnvHandle> TryOpen(const std::string& path, bool is_file, std::uint64_t map_bytes,
                             int& error) {
  MDB_env* made = nullptr;
  error = mdb_env_create(&made);
  if (error != MDB_SUCCESS) return FailMdb("create an LMDB environment", error);
  MdbEnvHandle env(made);
  error = mdb_env_set_maxreaders(env.get(), kLmdbReaderCountMax);
  SB_CHECK(error == MDB_SUCCESS, "limits are set before the environment opens");
  error = mdb_env_set_maxdbs(env.get(), kLmdbDatabaseCountMax);
  SB_CHECK(error == MDB_SUCCESS, "limits are set before the environment opens");
  error = mdb_env_set_mapsize(env.get(), map_bytes);
  if (error == MDB_SUCCESS) {
    error =
        mdb_env_open(env.get(), path.c_str(), kLmdbEnvFlags | (is_file ? MDB_NOSUBDIR : 0u), 0600);
  }
  if (error != MDB_SUCCESS) return FailMdb("open LMDB environment " + path, error);
  return env;
}

}  // namespace

tl::unexpected<Error> FailMdb(std::string_view doing, int mdb_error) {
  SB_CHECK(mdb_error != MDB_SUCCESS, "success is not an error");
  return Fail(CodeOf(mdb_error), std::string(doing) + ": " + mdb_strerror(mdb_error));
}

Result<MdbEnvHandle> OpenMdbEnv(const std::string& path, bool is_file, std::uint64_t map_bytes) {
  int error = MDB_SUCCESS;
  auto env = TryOpen(path, is_file, map_bytes, error);
  // A limit on address space (ulimit -v, a small container) is no reason not to serve.
  while (!env && error == ENOMEM && map_bytes / 2 >= kMapBytesLeast) {
    map_bytes /= 2;
    env = TryOpen(path, is_file, map_bytes, error);
  }
  if (!env) return env;
  int dead_count = 0;
  error = mdb_reader_check(env->get(), &dead_count);
  if (error != MDB_SUCCESS) return FailMdb("check for stale readers of " + path, error);
  if (dead_count > 0) LogInfo("LMDB {}: cleared {} stale readers", path, dead_count);
  return env;
}

Result<MdbEnvHandle> OpenMdbFileReadOnly(const std::string& path) {
  MDB_env* made = nullptr;
  int error = mdb_env_create(&made);
  if (error != MDB_SUCCESS) return FailMdb("open " + path, error);
  MdbEnvHandle env(made);
  error = mdb_env_set_maxdbs(env.get(), kLmdbDatabaseCountMax);
  if (error == MDB_SUCCESS)
    error = mdb_env_open(env.get(), path.c_str(),
                         MDB_RDONLY | MDB_NOLOCK | MDB_NOSUBDIR | MDB_NOTLS, 0600);
  if (error != MDB_SUCCESS) return FailMdb("open " + path, error);
  return env;
}

}  // namespace switchback
