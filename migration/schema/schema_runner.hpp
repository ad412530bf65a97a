// Applies versions of the unified store's schema, takes them back, and looks whether the store is
// as it must be: on the thread that writes to the store, between two of its transactions, while
// clients go on reading and writing (the log and the memtable absorb their writes).
//
// (1) No migration begins without a copy of the database, read back and durable. (2) A migration
// and the version it stands for are one transaction. (3) What validation finds wrong afterwards is
// undone by putting the copy back, in the same turn of the store's thread: the store has applied
// nothing in between, so that its position in the log stays true and nothing the log has let go of
// is missing. (4) Each operation is in the journal before it begins, with its end when it has one;
// one that a crash cut short is closed at the next start by what the store says.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backends/sql_store.hpp"
#include "common/clock.hpp"
#include "common/sync.hpp"
#include "migration/journal.hpp"
#include "migration/schema/schema_plan.hpp"
#include "service/db_service.hpp"

namespace switchback {

struct SchemaRunnerOptions {
  std::string directory;         // of the files
  std::string copies_directory;  // of the safety copies
  std::size_t copy_count_max = 5;
  // For each of: one copy, one migration's statements, one validation.
  std::chrono::milliseconds time_max{300'000};
  // Makes a backup of both stores before anything is changed; blocks. Empty: none is made.
  std::function<Status(const std::string& actor)> backup_before = {};
};

// Who wants it and why, for the journal.
struct SchemaRequest {
  SchemaGoal goal;
  std::string actor;
  std::string reason;
};

struct SchemaStepResult {
  std::string name;    // "up 0003_add_email"
  std::string status;  // "done" "failed" "undone" (it ran, and the copy was put back)
  std::string copy;    // the safety copy taken before it
};

// What came of an operation that began.
struct SchemaOutcome {
  std::int64_t operation = 0;  // in the journal; 0: there was nothing to do
  std::uint64_t version_before = 0;
  std::uint64_t version = 0;
  std::vector<SchemaStepResult> steps;
  StoreReport report;          // of the newest validation
  std::optional<Error> error;  // why it ended early; the version is as above all the same
  std::string critical;        // why the unified store may be wrong now; "" = it is not
};

struct SchemaStatus {
  std::string directory;
  std::uint64_t version = 0;
  std::vector<SchemaVersionStatus> versions;
  std::vector<std::string> problems;  // of the files
  std::string running;                // the operation under way; "" when none
  std::vector<std::string> copies;    // the newest first
};

// Cheap to ask for.
struct SchemaActivity {
  std::string running;            // the operation under way; "" when none
  std::uint64_t ended_count = 0;  // of this process; the version may have changed with each
};

// Thread-safe. `service`, `journal` and `clock` outlive it.
class SchemaRunner {
 public:
  SchemaRunner(DbService& service, Journal& journal, const Clock& clock,
               SchemaRunnerOptions options);

  // For the start of the server: closes operations that a crash left open, and removes copies that
  // were not finished.
  void CloseInterrupted() SB_EXCLUDES(mutex_);
  // Interrupts what runs, which is undone, and refuses what comes (kCancelled).
  void Stop() { is_stopping_.store(true); }

  Result<SchemaStatus> GetStatus() SB_EXCLUDES(mutex_);
  [[nodiscard]] SchemaActivity Activity() const SB_EXCLUDES(mutex_);

  // Blocks until it is done. An Error means that nothing was begun: kConflict (another operation is
  // under way), kRefused (unified is not in sync; PlanSchema's reasons), kInvalidArgument, kBusy,
  // and the journal's. What goes wrong later is in the outcome.
  Result<SchemaOutcome> Run(const SchemaRequest& request) SB_EXCLUDES(mutex_);
  // Validates and writes the result into the journal. Errors as Run.
  Result<SchemaOutcome> Validate(const std::string& actor, const std::string& reason)
      SB_EXCLUDES(mutex_);

 private:
  class Claim;
  // Changes that share a safety copy: a single one up, or all those down.
  using Leg = std::vector<SchemaChange>;

  Status CheckInSync() const;
  Result<std::vector<SchemaVersion>> ReadApplied() const;
  Result<std::int64_t> BeginOperation(const SchemaOutcome& outcome, std::uint64_t target,
                                      const std::string& actor, const std::string& reason);
  void EndOperation(const SchemaOutcome& outcome);
  void RunLegs(std::vector<SchemaChange> changes, SchemaOutcome& outcome);
  Status RunLeg(Leg leg, SchemaOutcome& outcome);
  Status RunInStore(Backend& backend, Leg& leg, const std::string& copy, SchemaOutcome& outcome);
  Status Change(Backend& backend, SchemaChange& change, SchemaStepResult& step);
  Status ValidateOrPutBack(Backend& backend, const std::string& copy, SchemaOutcome& outcome);
  Status PutBack(Backend& backend, const std::string& copy);
  [[nodiscard]] std::string NewCopyPath(std::uint64_t version) const;
  [[nodiscard]] std::vector<std::string> ListCopies() const;
  void RemoveOldCopies() const;
  void Note(const Status& written) const;
  void NoteRunning(const std::string& what) SB_EXCLUDES(mutex_);
  [[nodiscard]] SqlBudget NewBudget() const;
  void CloseOperation(const OperationRecord& operation, const std::string& document,
                      const Result<std::uint64_t>& version);

  DbService& service_;
  Journal& journal_;
  const Clock& clock_;
  const SchemaRunnerOptions options_;
  std::atomic<bool> is_stopping_{false};
  mutable Mutex mutex_;
  std::string running_ SB_GUARDED_BY(mutex_);  // what is under way; "" when nothing is
  std::uint64_t ended_count_ SB_GUARDED_BY(mutex_) = 0;
};

}  // namespace switchback
