#include "backends/sqlite_copy.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "backends/sqlite_read_view.hpp"
#include "backends/sqlite_schema.hpp"
#include "backends/sqlite_script.hpp"
#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/file.hpp"

namespace switchback {
namespace {

constexpr std::uint64_t kCopyStepBytes = 256u << 10;

// Left free beside the copy, for what the service itself writes meanwhile.
constexpr std::uint64_t kFreeBytesKept = 64ull << 20;

struct BackupFinisher {
  void operator()(sqlite3_backup* backup) const noexcept { sqlite3_backup_finish(backup); }
};
using BackupHandle = std::unique_ptr<sqlite3_backup, BackupFinisher>;

Result<std::uint64_t> QueryNumber(sqlite3* db, const std::string& sql) {
  auto text = QuerySqliteText(db, sql);
  if (!text) return Fail(text.error());
  return std::strtoull(text->c_str(), nullptr, 10);
}

// A copy is at most as large as the pages in use.
Status CheckSpace(sqlite3* db, const std::string& directory) {
  SB_RETURN_IF_ERROR(Failpoint("schema.space"));
  auto pages = QueryNumber(db, "PRAGMA page_count");
  if (!pages) return Fail(pages.error());
  auto free_pages = QueryNumber(db, "PRAGMA freelist_count");
  if (!free_pages) return Fail(free_pages.error());
  auto page_bytes = QueryNumber(db, "PRAGMA page_size");
  if (!page_bytes) return Fail(page_bytes.error());
  struct statvfs space {};
  if (::statvfs(directory.c_str(), &space) != 0) return FailErrno("statvfs " + directory, errno);
  if (*free_pages > *pages)
    return Fail(ErrorCode::kCorruption, "the database's header has more free pages than pages");
  const std::uint64_t needed = (*pages - *free_pages) * *page_bytes + kFreeBytesKept;
  const std::uint64_t there = std::uint64_t{space.f_bavail} * space.f_frsize;
  if (there >= needed) return {};
  return Fail(ErrorCode::kNoSpace,
              fmt::format("{} has {} bytes free, and a copy of the database needs {}", directory,
                          there, needed));
}

Status VacuumInto(sqlite3* db, const std::string& path, const SqlBudget& budget) {
  const SqliteInterrupter interrupter(db, budget);
  auto vacuum = PrepareSqlite(db, "VACUUM INTO ?1");
  if (!vacuum) return Fail(vacuum.error());
  sqlite3_bind_text(vacuum->get(), 1, path.c_str(), -1, SQLITE_STATIC);
  const int error = sqlite3_step(vacuum->get());
  if (error == SQLITE_DONE) return {};
  if (!interrupter.reason().empty())
    return Fail(ErrorCode::kCancelled, "copy the database: " + interrupter.reason());
  return FailSqlite(db, "copy the database", error);
}

Result<SqliteHandle> OpenCopy(const std::string& path) {
  SqliteOptions options;
  options.path = path;
  return OpenSqliteReader(options);
}

// Whole, and of the same state as the database it was made of.
Status Verify(sqlite3* db, const std::string& path, const SqlBudget& budget) {
  auto copy = OpenCopy(path);
  if (!copy) return Fail(copy.error());
  const SqliteInterrupter interrupter(copy->get(), budget);
  auto checked = QuerySqliteText(copy->get(), "PRAGMA quick_check(1)");
  if (!checked) return Fail(checked.error());
  if (*checked != "ok") return Fail(ErrorCode::kCorruption, *checked);
  auto state = ReadSqliteState(db);
  if (!state) return Fail(state.error());
  auto copied = ReadSqliteState(copy->get());
  if (!copied) return Fail(copied.error());
  if (*state == *copied) return {};
  return Fail(ErrorCode::kCorruption, "the copy is of another state than the database");
}

// VACUUM INTO does not force it out.
Status SyncFile(const std::string& path) {
  auto file = OpenFile(path, O_RDWR);
  if (!file) return Fail(file.error());
  if (::fchmod(file->get(), 0600) != 0) return FailErrno("chmod " + path, errno);
  if (::fsync(file->get()) != 0) return FailErrno("sync " + path, errno);
  return {};
}

Status Write(sqlite3* db, const std::string& partial, const std::string& path,
             const SqlBudget& budget) {
  SB_RETURN_IF_ERROR(Failpoint("schema.copy"));
  SB_RETURN_IF_ERROR(VacuumInto(db, partial, budget));
  if (auto whole = Verify(db, partial, budget); !whole)
    return Fail(WithContext(whole.error(), "read the copy back"));
  SB_RETURN_IF_ERROR(SyncFile(partial));
  if (::rename(partial.c_str(), path.c_str()) != 0) return FailErrno("rename " + partial, errno);
  return SyncDirectory(ParentDirectory(path));
}

}  // namespace

Status WriteSqliteCopy(sqlite3* db, const std::string& path, const SqlBudget& budget) {
  SB_CHECK(sqlite3_get_autocommit(db) != 0, "a copy is taken between transactions");
  const std::string directory = ParentDirectory(path);
  SB_RETURN_IF_ERROR(MakeDirectories(directory));
  if (::access(path.c_str(), F_OK) == 0)
    return Fail(ErrorCode::kConflict, path + " is there already");
  SB_RETURN_IF_ERROR(CheckSpace(db, directory));
  const std::string partial = path + ".partial";
  ::unlink(partial.c_str());  // of a crash
  auto written = Write(db, partial, path, budget);
  if (!written) ::unlink(partial.c_str());
  return written;
}

namespace {

Status CopyPages(sqlite3* from, sqlite3* to, std::uint64_t page_bytes,
                 const ReadView::CopyStep& step) {
  BackupHandle backup(sqlite3_backup_init(to, "main", from, "main"));
  if (backup == nullptr) return FailSqlite(to, "copy the database", sqlite3_errcode(to));
  const int page_count = static_cast<int>(kCopyStepBytes / page_bytes);
  int error = SQLITE_OK;
  while (error == SQLITE_OK) {
    const int left_before = sqlite3_backup_remaining(backup.get());
    error = sqlite3_backup_step(backup.get(), page_count);
    if (error != SQLITE_OK && error != SQLITE_DONE) break;
    const int left = sqlite3_backup_remaining(backup.get());
    const int copied = left_before > left ? left_before - left : page_count;
    SB_RETURN_IF_ERROR(step(static_cast<std::uint64_t>(copied) * page_bytes));
  }
  const int finished = sqlite3_backup_finish(backup.release());
  if (error != SQLITE_DONE) return FailSqlite(to, "copy the database", error);
  if (finished != SQLITE_OK) return FailSqlite(to, "copy the database", finished);
  return {};
}

}  // namespace

Status WriteSqliteSnapshot(sqlite3* db, const std::string& path, const ReadView::CopyStep& step) {
  SB_CHECK(sqlite3_get_autocommit(db) == 0, "a snapshot is held while it is copied");
  if (::access(path.c_str(), F_OK) == 0)
    return Fail(ErrorCode::kConflict, path + " is there already");
  auto page_bytes = QueryNumber(db, "PRAGMA page_size");
  if (!page_bytes) return Fail(page_bytes.error());
  SB_CHECK(*page_bytes >= 512 && *page_bytes <= 65536, "SQLite's page sizes");
  sqlite3* opened = nullptr;
  const int error =
      sqlite3_open_v2(path.c_str(), &opened,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  const SqliteHandle copy(opened);
  if (error != SQLITE_OK) return FailSqlite(opened, "make " + path, error);
  // Nobody else has the file, and a copy that was not finished is thrown away.
  for (const char* pragma : {"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA synchronous=OFF",
                             "PRAGMA journal_mode=OFF", "PRAGMA cache_size=-16384"})
    SB_RETURN_IF_ERROR(ExecuteSqlite(copy.get(), pragma));
  SB_RETURN_IF_ERROR(CopyPages(db, copy.get(), *page_bytes, step));
  return ExecuteSqlite(copy.get(), "PRAGMA journal_mode=DELETE");
}

Status PutSqliteCopyBack(sqlite3* db, const std::string& path) {
  SB_CHECK(sqlite3_get_autocommit(db) != 0, "a copy is put back between transactions");
  auto copy = OpenCopy(path);
  if (!copy) return Fail(copy.error());
  auto checked = QuerySqliteText(copy->get(), "PRAGMA quick_check(1)");
  if (!checked) return Fail(checked.error());
  if (*checked != "ok") return Fail(ErrorCode::kCorruption, path + ": " + *checked);
  SB_RETURN_IF_ERROR(Failpoint("schema.putback"));
  BackupHandle backup(sqlite3_backup_init(db, "main", copy->get(), "main"));
  if (backup == nullptr) return FailSqlite(db, "put the copy back", sqlite3_errcode(db));
  const int error = sqlite3_backup_step(backup.get(), -1);
  const int finished = sqlite3_backup_finish(backup.release());
  if (error != SQLITE_DONE) return FailSqlite(db, "put the copy back", error);
  if (finished != SQLITE_OK) return FailSqlite(db, "put the copy back", finished);
  return {};
}

}  // namespace switchback
