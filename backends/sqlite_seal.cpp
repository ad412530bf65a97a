#include "backends/sqlite_seal.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/file.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

constexpr std::size_t kSealBytesMax = 256;
constexpr const char* kForeignSeal = "switchback seal 1 foreign\n";

std::string SealPath(const std::string& database_path) {
  return database_path + ".seal";
}

// "" when the file cannot be seen. Not the inode or ctime: a file moved aside and back is the same.
std::string Describe(const std::string& database_path) {
  struct stat info {};
  if (::stat(database_path.c_str(), &info) != 0) return "";
  return fmt::format("switchback seal 1 size {} mtime {}.{:09}\n", info.st_size,
                     info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

bool HasWal(const std::string& database_path) {
  struct stat info {};
  return ::stat((database_path + "-wal").c_str(), &info) == 0 && info.st_size > 0;
}

}  // namespace

SealVerdict CheckSqliteSeal(const std::string& database_path) {
  auto seal = ReadWholeFile(SealPath(database_path), kSealBytesMax);
  if (!seal) {
    if (seal.error().code == ErrorCode::kNotFound) return SealVerdict::kNone;
    LogWarning("SQLite {}: cannot read its seal: {}", database_path, seal.error().message);
    return SealVerdict::kForeign;
  }
  // We close without a write-ahead log, so that one that is there now is somebody else's.
  if (*seal != Describe(database_path) || HasWal(database_path)) return SealVerdict::kForeign;
  return SealVerdict::kIntact;
}

Status WriteSqliteSeal(const std::string& database_path) {
  const std::string seal = Describe(database_path);
  if (seal.empty()) return Fail(ErrorCode::kNotFound, "no file to seal at " + database_path);
  return WriteFileAtomically(SealPath(database_path), seal);
}

Status WriteForeignSqliteSeal(const std::string& database_path) {
  return WriteFileAtomically(SealPath(database_path), kForeignSeal);
}

Status RemoveSqliteSeal(const std::string& database_path) {
  const std::string seal = SealPath(database_path);
  if (::unlink(seal.c_str()) != 0) {
    return errno == ENOENT ? Status{} : FailErrno("remove " + seal, errno);
  }
  return SyncDirectory(ParentDirectory(seal));
}

}  // namespace switchback
