#include "migration/history.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "migration/history_record.hpp"
#include "migration/journal.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/failpoints.hpp"
#include "tests/support/shifted_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback::test {
namespace {

using Json = nlohmann::ordered_json;

class HistoryTest : public ::testing::Test {
 protected:
  std::unique_ptr<Journal> Open() { return Must(Journal::Open(path_, clock_)); }

  static std::int64_t Run(Journal& journal, const std::string& kind, const std::string& detail) {
    const auto id = Must(journal.BeginOperation(kind, "ada", "why"));
    Must(journal.BeginStep(id, "only"));
    Must(journal.EndStep(id, "only", "done", "fine"));
    Must(journal.EndOperation(id, "done", detail));
    return id;
  }
  // Three operations, a deed, a note: five entries.
  void Fill() {
    auto journal = Open();
    const auto id = Run(*journal, "verify", R"({"records":1})");
    Run(*journal, "schema", "{}");
    Must(journal->Audit("ada", "backup-pin", "b1"));
    Must(journal->AddNote({id, "root-cause", "eve", "the disk"}));
    Run(*journal, "backup", R"({"operation":"create","id":"b1"})");
  }
  // As somebody with a tool does, past the triggers.
  void Tamper(const std::string& sql) {
    auto db = Must(OpenSqliteDurable(path_));
    Must(ExecuteSqlite(db.get(), "DROP TRIGGER IF EXISTS history_stays"));
    Must(ExecuteSqlite(db.get(), "DROP TRIGGER IF EXISTS history_is_kept"));
    Must(ExecuteSqlite(db.get(), sql));
  }
  HistoryVerdict Verify(const std::string& head = "") { return Must(Open()->VerifyHistory(head)); }

  TempDir dir_;
  ShiftedClock clock_;
  const std::string path_ = dir_.File("control.sqlite");
};

TEST_F(HistoryTest, AnEmptyOneIsIntactAndItsHeadIsTheRoot) {
  const auto verdict = Verify();

  EXPECT_TRUE(verdict.is_intact);
  EXPECT_EQ(verdict.entries, 0);
  EXPECT_EQ(verdict.head, kHistoryRoot);
}

TEST_F(HistoryTest, EveryEndDeedAndNoteIsAnEntry) {
  Fill();

  const auto entries = Must(Open()->ReadHistory({}));

  ASSERT_EQ(entries.size(), 5u);
  std::vector<std::string> kinds;
  for (const HistoryEntry& entry : entries) kinds.push_back(entry.kind);
  EXPECT_EQ(kinds, (std::vector<std::string>{"backup", "note", "audit", "schema", "verify"}));
  EXPECT_EQ(entries[0].number, 5);
  EXPECT_EQ(entries[0].previous_hash, entries[1].hash);
  const auto verdict = Verify();
  EXPECT_TRUE(verdict.is_intact) << verdict.problem;
  EXPECT_EQ(verdict.entries, 5);
  EXPECT_EQ(verdict.head, entries[0].hash);
}

TEST_F(HistoryTest, QueriesChoose) {
  Fill();
  auto journal = Open();

  EXPECT_EQ(Must(journal->ReadHistory({"schema", 0, 0, 10})).size(), 1u);
  EXPECT_EQ(Must(journal->ReadHistory({"", 3, 0, 10})).size(), 2u);
  EXPECT_EQ(Must(journal->ReadHistory({"", 0, 1, 10})).size(), 2u) << "the verify and its note";
  EXPECT_EQ(Must(journal->ReadHistory({"", 0, 0, 2})).size(), 2u);
}

TEST_F(HistoryTest, ItsHashIsWhatAnybodyCanCompute) {
  const HistoryEntry entry{1,    "2026-01-31T12:00:00Z",    "verify",
                           "{}", std::string(kHistoryRoot), ""};

  // printf '1|2026-01-31T12:00:00Z|verify|{}|000...0' | sha256sum
  EXPECT_EQ(HistoryHash(entry), "a743a15b9252a143ed5aa5bc44ca5a82760902d2637158ef7c12fc536bc07b0a");
}

TEST_F(HistoryTest, AChangeOfAnyFieldOfAnyEntryIsFoundThere) {
  Fill();
  const std::string before = ReadBytes(path_);
  for (int number = 1; number <= 5; ++number) {
    for (const char* change :
         {"time = '2020-01-01T00:00:00Z'", "kind = 'other'", "json = json || ' '",
          "json = replace(json, '\"ada\"', '\"bob\"') || '\n'",
          "hash = replace(hash, substr(hash, 1, 1), '-')",
          "previous_hash = upper(previous_hash) || 'x'",
          "kind = kind || '|' || substr(json, 1, 1), json = substr(json, 2)",
          "number = number + 100"}) {
      WriteBytes(path_, before);
      Tamper(std::string("UPDATE history SET ") + change +
             " WHERE number = " + std::to_string(number));
      const auto verdict = Verify();
      EXPECT_FALSE(verdict.is_intact) << number << " " << change;
      EXPECT_EQ(verdict.broken_at, number) << change << ": " << verdict.problem;
    }
  }
}

TEST_F(HistoryTest, AnEntryThatIsTakenOutPutInOrSwappedIsFound) {
  Fill();
  const std::string before = ReadBytes(path_);
  const std::pair<const char*, int> changes[] = {
      {"DELETE FROM history WHERE number = 3", 3},
      {"INSERT INTO history SELECT 0, time, kind, json, previous_hash, hash FROM history"
       " WHERE number = 1",
       1},
      {"INSERT INTO history SELECT 6, time, kind, json, hash, hash FROM history WHERE number = 5",
       6},
      {"UPDATE history SET number = -number; UPDATE history SET number = CASE number"
       " WHEN -2 THEN 3 WHEN -3 THEN 2 ELSE -number END",
       2}};
  for (const auto& [change, number] : changes) {
    WriteBytes(path_, before);
    Tamper(change);
    EXPECT_EQ(Verify().broken_at, number) << change;
  }
}

TEST_F(HistoryTest, AnEndThatWasCutOffIsKnownFromTheOtherTables) {
  Fill();

  Tamper("DELETE FROM history WHERE number = 5");

  const auto verdict = Verify();
  EXPECT_EQ(verdict.broken_at, 5);
  EXPECT_NE(verdict.problem.find("operation 3"), std::string::npos) << verdict.problem;
}

TEST_F(HistoryTest, AnEndThatWasCutOffEverywhereShowsByTheHeadThatWasKept) {
  Fill();
  const std::string head = Verify().head;

  Tamper("DELETE FROM history WHERE number >= 4; DELETE FROM operations WHERE id = 3");

  EXPECT_TRUE(Verify().is_intact) << "nothing here knows of it";
  const auto verdict = Verify(head);
  EXPECT_FALSE(verdict.is_intact);
  EXPECT_EQ(verdict.broken_at, 4);
}

TEST_F(HistoryTest, AHeadThatWasKeptEarlierIsStillOneOfThem) {
  Fill();
  std::string head = Verify().head;
  for (char& c : head) c = static_cast<char>(std::toupper(c));
  Run(*Open(), "verify", "{}");

  const auto verdict = Verify(head);

  EXPECT_TRUE(verdict.is_intact) << verdict.problem;
  EXPECT_EQ(verdict.expected_head_at, 5);
  EXPECT_EQ(verdict.entries, 6);
}

TEST_F(HistoryTest, AnOperationThatWasChangedInItsOwnTableIsFound) {
  Fill();

  Tamper("UPDATE operations SET status = 'failed' WHERE id = 2");

  EXPECT_NE(Verify().problem.find("operation 2"), std::string::npos);
}

TEST_F(HistoryTest, MistakesAreRefusedByTheFileItself) {
  Fill();
  auto db = Must(OpenSqliteDurable(path_));

  EXPECT_FALSE(ExecuteSqlite(db.get(), "UPDATE history SET kind = 'x' WHERE number = 1"));
  EXPECT_FALSE(ExecuteSqlite(db.get(), "DELETE FROM history"));
}

TEST_F(HistoryTest, AnEndAndItsEntryAreOne) {
  for (const char* place : {"journal.ended=error", "journal.appended=error"}) {
    auto journal = Open();
    const auto before = Must(journal->VerifyHistory("")).entries;
    const auto id = Must(journal->BeginOperation("verify", "ada", ""));
    {
      const ScopedFailpoints failing(place);
      EXPECT_FALSE(journal->EndOperation(id, "done", "{}"));
    }
    EXPECT_EQ(Must(journal->Operation(id)).status, "running");
    EXPECT_EQ(Must(journal->VerifyHistory("")).entries, before);
    Must(journal->EndOperation(id, "done", "{}"));
    EXPECT_EQ(Must(journal->VerifyHistory("")).entries, before + 1);
  }
}

// The file as the version before the history left it.
void MakeOldJournal(const std::string& path) {
  auto db = Must(OpenSqliteDurable(path));
  Must(ExecuteSqlite(
      db.get(),
      "CREATE TABLE documents(name TEXT PRIMARY KEY NOT NULL, json TEXT NOT NULL) WITHOUT ROWID;"
      "CREATE TABLE operations(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
      " actor TEXT NOT NULL, reason TEXT NOT NULL, status TEXT NOT NULL, started_at TEXT NOT NULL,"
      " ended_at TEXT NOT NULL, detail TEXT NOT NULL);"
      "CREATE TABLE steps(operation INTEGER NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,"
      " started_at TEXT NOT NULL, ended_at TEXT NOT NULL, detail TEXT NOT NULL,"
      " PRIMARY KEY(operation, name));"
      "CREATE TABLE audit(id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL,"
      " actor TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL);"
      "CREATE TABLE findings(list TEXT NOT NULL, collection TEXT NOT NULL, key BLOB NOT NULL,"
      " detail TEXT NOT NULL, PRIMARY KEY(list, collection, key)) WITHOUT ROWID;"
      "INSERT INTO documents VALUES('migration', '{}');"
      "INSERT INTO operations VALUES(1, 'backup', 'ada', 'r', 'done', '2026-01-01T00:00:00Z',"
      " '2026-01-01T00:00:09Z', 'not JSON'),"
      " (2, 'verify', 'ada', '', 'running', '2026-01-02T00:00:00Z', '', '{}'),"
      " (3, 'schema', 'ada', '', 'failed', '2026-01-01T00:00:03Z', '2026-01-01T00:00:05Z', '{}');"
      "INSERT INTO steps VALUES(1, 's', 'done', 'a', 'b', 'c');"
      "INSERT INTO audit VALUES(1, '2026-01-01T00:00:07Z', 'eve', 'pin', 'b1');"
      "PRAGMA user_version=1"));
}

TEST_F(HistoryTest, AnOlderFileIsTakenUpInTheOrderOfItsTimes) {
  MakeOldJournal(path_);

  const auto entries = Must(Open()->ReadHistory({}));

  ASSERT_EQ(entries.size(), 4u);
  EXPECT_EQ(entries[3].kind, "history");
  EXPECT_EQ(Json::parse(entries[3].json)["entries"], 3);
  EXPECT_EQ(entries[2].kind, "schema");
  EXPECT_EQ(entries[1].kind, "audit");
  EXPECT_EQ(entries[0].kind, "backup");
  EXPECT_EQ(entries[0].time, "2026-01-01T00:00:09Z");
  const Json backup = Json::parse(entries[0].json);
  EXPECT_EQ(backup["detail"]["text"], "not JSON");
  EXPECT_EQ(backup["steps"][0]["name"], "s");
  EXPECT_EQ(backup["metrics"]["seconds"], 9);
  EXPECT_TRUE(Verify().is_intact) << Verify().problem;
  EXPECT_EQ(Must(Open()->Load("migration")), "{}");
  EXPECT_EQ(Must(Open()->Operation(2)).status, "running");
}

TEST_F(HistoryTest, AnUpgradeThatIsCutShortIsMadeAgain) {
  MakeOldJournal(path_);
  {
    const ScopedFailpoints failing("journal.upgrade=error");
    EXPECT_FALSE(Journal::Open(path_, clock_));
  }

  EXPECT_EQ(Verify().entries, 4);
}

TEST_F(HistoryTest, ManyThreadsMakeOneChain) {
  constexpr int kThreads = 4;
  constexpr int kEach = 10;
  auto journal = Open();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        const auto id = Must(journal->BeginOperation("verify", "ada", ""));
        Must(journal->EndOperation(id, "done", "{}"));
        Must(journal->Audit("ada", "act", ""));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  const auto verdict = Must(journal->VerifyHistory(""));

  EXPECT_TRUE(verdict.is_intact) << verdict.problem;
  EXPECT_EQ(verdict.entries, 2 * kThreads * kEach);
}

TEST_F(HistoryTest, AKindWithABarDoesNotBlurTheFields) {
  auto journal = Open();
  Run(*journal, "a|b", "{}");

  EXPECT_EQ(Must(journal->ReadHistory({}))[0].kind, "a/b");
  EXPECT_TRUE(Must(journal->VerifyHistory("")).is_intact);
}

TEST_F(HistoryTest, NotesAreChecked) {
  auto journal = Open();
  const auto id = Must(journal->BeginOperation("verify", "ada", ""));

  EXPECT_TRUE(FailsWith(journal->AddNote({id + 1, "note", "a", "t"}), ErrorCode::kNotFound));
  EXPECT_TRUE(FailsWith(journal->AddNote({id, "rumour", "a", "t"}), ErrorCode::kInvalidArgument));
  EXPECT_TRUE(FailsWith(journal->AddNote({id, "note", "a", ""}), ErrorCode::kInvalidArgument));
  EXPECT_TRUE(FailsWith(journal->AddNote({id, "note", "a", std::string(kNoteBytesMax + 1, 'x')}),
                        ErrorCode::kInvalidArgument));
  EXPECT_EQ(Must(journal->AddNote({id, "lesson", "a", "also while it runs \xff"})), 1);
  EXPECT_TRUE(Must(journal->VerifyHistory("")).is_intact);
}

TEST_F(HistoryTest, AReaderChangesNothing) {
  Fill();
  auto reader = Must(Journal::OpenToRead(path_, clock_));

  EXPECT_EQ(Must(reader->ReadHistory({})).size(), 5u);
  EXPECT_TRUE(Must(reader->VerifyHistory("")).is_intact);
  EXPECT_FALSE(reader->Audit("ada", "x", ""));
  EXPECT_TRUE(FailsWith(Journal::OpenToRead(dir_.File("none"), clock_), ErrorCode::kNotFound));
  MakeOldJournal(dir_.File("old"));
  EXPECT_TRUE(FailsWith(Journal::OpenToRead(dir_.File("old"), clock_), ErrorCode::kUnsupported));
}

Json RecordOf(const std::string& kind, const std::string& status, const std::string& detail) {
  const OperationRecord operation{
      7, kind, "ada", "why", status, "2026-01-01T00:00:00Z", "2026-01-01T00:01:30Z", detail, {}};
  return Json::parse(OperationHistoryJson(operation));
}

TEST(HistoryRecordTest, ARollbackSaysFromWhichShareToWhich) {
  const Json record =
      RecordOf("rollback-flag", "done",
               R"({"final_status":"PARTIAL","errors":["flags file: no space"],"evidence":"e-1",
                   "total_ms":1500,"percentage_before":25.0,"percentage_after":0.0,
                   "records_restored":0,"attempts":1})");

  EXPECT_EQ(record["status"], "PARTIAL");
  EXPECT_EQ(record["from"], "25.0 % unified");
  EXPECT_EQ(record["to"], "0.0 % unified");
  EXPECT_EQ(record["evidence"], "e-1");
  EXPECT_EQ(record["metrics"]["seconds"], 1.5);
  EXPECT_EQ(record["metrics"]["errors"], 1);
  EXPECT_EQ(record["metrics"]["records_restored"], 0);
}

TEST(HistoryRecordTest, EachKindHasItsWays) {
  const Json schema = RecordOf("schema", "done", R"({"version_before":1,"version":2})");
  EXPECT_EQ(schema["from"], "version 1");
  EXPECT_EQ(schema["to"], "version 2");
  EXPECT_EQ(schema["status"], "SUCCESS");
  EXPECT_EQ(schema["metrics"]["seconds"], 90);

  const Json restore =
      RecordOf("backup", "done", R"({"operation":"restore","id":"b1","records":12})");
  EXPECT_EQ(restore["action"], "restore");
  EXPECT_EQ(restore["to"], "backup b1");
  EXPECT_EQ(restore["metrics"]["records_restored"], 12);

  const Json migration = RecordOf("migration", "done", R"({"from":"legacy","to":"unified"})");
  EXPECT_EQ(migration["from"], "legacy");

  const Json verify = RecordOf("verify", "done", R"({"result":"differences"})");
  EXPECT_EQ(verify["status"], "PARTIAL");
  EXPECT_EQ(RecordOf("verify", "cancelled", "{}")["status"], "FAILED");
  EXPECT_EQ(RecordOf("verify", "failed", R"({"error":"gone"})")["errors"][0], "gone");
  EXPECT_EQ(RecordOf("verify", "running", "{}")["status"], "");
}

TEST(HistoryRecordTest, OddDetailsDoNotBreakIt) {
  for (const char* detail : {"", "null", "[1]", "{\"errors\":7}", "{\"errors\":[1,{}]}",
                             "{\"error\":5,\"evidence\":[],\"total_ms\":\"x\"}", "\xff"})
    EXPECT_EQ(RecordOf("backup", "done", detail)["operation"], 7) << detail;
  const Json shortened =
      RecordOf("schema", "done", Json{{"text", std::string(kHistoryJsonBytesMax, 'x')}}.dump());
  EXPECT_EQ(shortened["is_shortened"], true);
  EXPECT_EQ(shortened["actor"], "ada");
}

}  // namespace
}  // namespace switchback::test
