#include <fmt/format.h>
#include <lmdb.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cstdlib>
#include <optional>

#include "backends/collection.hpp"
#include "backends/lmdb_handles.hpp"
#include "backends/lmdb_read_view.hpp"
#include "backends/sqlite_handles.hpp"
#include "backends/store_state_codec.hpp"
#include "server/cli/doctor.hpp"
#include "server/cli/output.hpp"
#include "service/role.hpp"

namespace switchback {
namespace {

bool Exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

bool IsFile(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// ---- LMDB

// Read-only. Without a lock file there is nobody to lock against, and making one would be a change.
Result<MdbEnvHandle> OpenLmdbReadOnly(const std::string& path) {
  MDB_env* made = nullptr;
  if (const int error = mdb_env_create(&made); error != MDB_SUCCESS)
    return FailMdb("open " + path, error);
  MdbEnvHandle env(made);
  mdb_env_set_maxdbs(env.get(), kLmdbDatabaseCountMax);
  const bool is_file = IsFile(path);
  const bool has_lock = Exists(is_file ? path + "-lock" : path + "/lock.mdb");
  const unsigned flags = MDB_RDONLY | MDB_NOTLS | (is_file ? unsigned{MDB_NOSUBDIR} : 0u) |
                         (has_lock ? 0u : unsigned{MDB_NOLOCK});
  if (const int error = mdb_env_open(env.get(), path.c_str(), flags, 0600); error != MDB_SUCCESS)
    return FailMdb("open " + path, error);
  return env;
}

struct StoreFacts {
  std::string summary;
  std::optional<StoreState> state;  // absent: never attached
  bool is_foreign = false;          // another process has committed since we did
};

Result<StoreFacts> ReadLmdb(const std::string& path) {
  auto env = OpenLmdbReadOnly(path);
  if (!env) return Fail(env.error());
  MDB_txn* begun = nullptr;
  if (const int error = mdb_txn_begin(env->get(), nullptr, MDB_RDONLY, &begun);
      error != MDB_SUCCESS)
    return FailMdb("read " + path, error);
  const MdbTxnHandle txn(begun);
  MDB_envinfo info{};
  mdb_env_info(env->get(), &info);
  MDB_stat main{};
  mdb_env_stat(env->get(), &main);
  StoreFacts facts;
  facts.summary =
      fmt::format("{} used of a map of {}, {} entries in the main database, {} reader slots in use",
                  FormatBytes((info.me_last_pgno + 1) * main.ms_psize),
                  FormatBytes(info.me_mapsize), FormatCount(main.ms_entries), info.me_numreaders);
  MDB_dbi dbi = 0;
  const std::string name(kReservedName);
  const int opened = mdb_dbi_open(txn.get(), name.c_str(), 0, &dbi);
  if (opened == MDB_NOTFOUND) return facts;
  if (opened != MDB_SUCCESS) return FailMdb("open the state in " + path, opened);
  MDB_val key = ToMdb(kLmdbStateKey);
  MDB_val value{};
  const int got = mdb_get(txn.get(), dbi, &key, &value);
  if (got == MDB_NOTFOUND) return facts;
  if (got != MDB_SUCCESS) return FailMdb("read the state in " + path, got);
  auto stamped = DecodeStoreState(FromMdb(value));
  if (!stamped) return Fail(stamped.error());
  facts.state = stamped->state;
  // The state names the transaction that wrote it; this snapshot is of the newest one.
  facts.is_foreign = stamped->commit_id != 0 && mdb_txn_id(txn.get()) != stamped->commit_id;
  return facts;
}

// ---- SQLite

// A column of the state's only row; "" when there is none.
Result<std::string> StateColumn(sqlite3* db, const std::string& column) {
  return QuerySqliteText(db, "SELECT " + column + " FROM __switchback WHERE id = 1");
}

Result<StoreFacts> ReadSqlite(const std::string& path, bool is_deep) {
  SqliteOptions options;
  options.path = path;
  auto db = OpenSqliteReader(options);
  if (!db) return Fail(db.error());
  auto tables =
      QuerySqliteText(db->get(),
                      "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
                      "'\\_\\_switchback%' ESCAPE '\\'");
  if (!tables) return Fail(tables.error());
  StoreFacts facts;
  struct stat wal {};
  const bool has_wal = ::stat((path + "-wal").c_str(), &wal) == 0;
  facts.summary = fmt::format("{} tables, write-ahead log {}", *tables,
                              FormatBytes(has_wal ? static_cast<std::uint64_t>(wal.st_size) : 0));
  if (is_deep) {
    auto checked = QuerySqliteText(db->get(), "PRAGMA quick_check(1)");
    if (!checked) return Fail(checked.error());
    if (*checked != "ok") return Fail(ErrorCode::kCorruption, path + ": " + *checked);
    facts.summary += ", every page checked";
  }
  auto attached =
      QuerySqliteText(db->get(), "SELECT 1 FROM sqlite_schema WHERE name = '__switchback'");
  if (!attached || attached->empty()) return facts;
  auto log_id = StateColumn(db->get(), "log_id");
  auto applied = StateColumn(db->get(), "applied_sequence");
  auto filling = StateColumn(db->get(), "is_filling");
  if (!log_id || !applied || !filling)
    return Fail(ErrorCode::kCorruption, path + ": the state of the store is not readable");
  facts.state = StoreState{};
  facts.state->log_id = *log_id;
  facts.state->applied_sequence = std::strtoull(applied->c_str(), nullptr, 10);
  facts.state->is_filling = *filling == "1";
  return facts;
}

// ---- both

std::string DescribeState(const std::optional<StoreState>& state) {
  if (!state || state->log_id.empty()) return "not attached";
  return fmt::format("applied batch {}{}", state->applied_sequence,
                     state->is_filling ? ", its first fill is not complete" : "");
}

// Whether store and log fit together: the log must hold everything that the store has not applied.
void CompareWithLog(const std::string& role, const StoreState& state, const DoctorFacts& facts,
                    std::vector<DoctorFinding>& findings) {
  // A running server moves all three on while we look at one after the other.
  if (facts.is_owned || state.log_id.empty() || facts.log_id.empty()) return;
  if (state.log_id != facts.log_id) {
    findings.push_back({Severity::kProblem, role, "it follows another commit log",
                        "its records are not those of this directory: fill it again"});
  } else if (state.applied_sequence + 1 < facts.log_first) {
    findings.push_back({Severity::kProblem, role,
                        fmt::format("the log begins at batch {} and it needs {}", facts.log_first,
                                    state.applied_sequence + 1),
                        "fill it again: switchback migrate start"});
  } else if (state.applied_sequence > facts.log_last) {
    findings.push_back({Severity::kProblem, role,
                        fmt::format("it has applied batch {} and the log ends at {}",
                                    state.applied_sequence, facts.log_last),
                        "the log has lost acknowledged batches: restore a backup"});
  }
}

void ExamineStore(Role role, const std::string& path, const Result<StoreFacts>& store,
                  const DoctorFacts& facts, std::vector<DoctorFinding>& findings) {
  const std::string name = RoleName(role);
  if (!store) {
    findings.push_back({Severity::kProblem, name, store.error().message,
                        "keep a copy of the file; the other store and the log may hold its data"});
    return;
  }
  findings.push_back({Severity::kOk, name,
                      fmt::format("{}: {}; {}", path, DescribeState(store->state), store->summary),
                      ""});
  if (store->state) CompareWithLog(name, *store->state, facts, findings);
  if (store->is_foreign)
    findings.push_back({Severity::kProblem, name,
                        "another process has written to it, so it does not serve",
                        "find out who it was; then either bring the file back as it was, or go on "
                        "with it as it is: POST /v1/legacy/accept to the running server, and "
                        "switchback migrate start, since unified differs from it"});
}

void ExamineVersions(std::vector<DoctorFinding>& findings) {
  int major_version = 0, minor_version = 0, patch = 0;
  mdb_version(&major_version, &minor_version, &patch);
  const bool has_bug = IsSingleWriterRuleNeeded(sqlite3_libversion_number());
  findings.push_back(
      {Severity::kOk, "engines",
       fmt::format("LMDB {}.{}.{}, SQLite {}{}", major_version, minor_version, patch,
                   sqlite3_libversion(),
                   has_bug ? ", which has the WAL-reset bug: do not write to the SQLite file with "
                             "other programs while the server runs (the server itself avoids it)"
                           : ""),
       ""});
}

}  // namespace

void ExamineIdleStores(const DoctorFacts& facts, const RescueExamination& found,
                       std::vector<DoctorFinding>& findings) {
  ExamineVersions(findings);
  for (const Role role : kRoles) {
    const RescueStore& store = found.store(role);
    const std::string broken = WhyBroken(found, role);
    if (store.is_intact()) {
      ExamineStore(role, store.path,
                   role == Role::kLegacy ? ReadLmdb(store.path) : ReadSqlite(store.path, false),
                   facts, findings);
      findings.push_back(
          {Severity::kOk, RoleName(role),
           fmt::format("{} records, all readable", FormatCount(store.record_count())), ""});
    } else if (broken.empty()) {
      findings.push_back({Severity::kOk, RoleName(role), "it was let go", ""});
    } else {
      findings.push_back({Severity::kProblem, RoleName(role), broken,
                          "keep the file as it is; see the proposals"});
    }
  }
}

void ExamineStores(const DoctorFacts& facts, bool is_deep, std::vector<DoctorFinding>& findings) {
  ExamineVersions(findings);
  if (Exists(facts.legacy_path)) {
    ExamineStore(Role::kLegacy, facts.legacy_path, ReadLmdb(facts.legacy_path), facts, findings);
  } else {
    findings.push_back({Severity::kProblem, "legacy", facts.legacy_path + " is not there",
                        "bring it back before the next start, or restore a backup"});
  }
  if (Exists(facts.unified_path)) {
    ExamineStore(Role::kUnified, facts.unified_path, ReadSqlite(facts.unified_path, is_deep), facts,
                 findings);
  } else {
    findings.push_back({Severity::kNote, "unified", facts.unified_path + " is not there",
                        "it is made at the next start and must be filled: switchback migrate "
                        "start"});
  }
}

}  // namespace switchback
