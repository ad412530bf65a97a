// What operations remember, in <data-dir>/control.sqlite: apart from both stores, so that it works
// when they don't. Four things: small documents (the state of a state machine), operations with
// their steps, an audit trail, and lists of findings (records that a pass has to name). And, over
// the ends of operations and the audit trail, the history: it is only ever added to (history.hpp).
//
// Everything is durable on return. Nothing here is written per record or per chunk of a copy: the
// progress of a fill lives in its target, beside the records (StoreState).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/sqlite_handles.hpp"
#include "common/clock.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"
#include "migration/history.hpp"
#include "migration/journal_record.hpp"
#include "migration/journal_sql.hpp"
#include "migration/utc.hpp"

namespace switchback {

// Kinds of entries in the history that are no operations.
inline constexpr const char* kAuditKind = "audit";
inline constexpr const char* kNoteKind = "note";

// Thread-safe; calls take turns and block for the disk. Times are UTC, ISO 8601.
// Errors of every call: kIo, kNoSpace, kCorruption, kBusy (somebody else has the file locked).
class Journal {
 public:
  // Makes the file when there is none. `clock` outlives it. kUnsupported: made by a newer version.
  // One of an older version is taken up: what has ended in it begins the history.
  static Result<std::unique_ptr<Journal>> Open(const std::string& path, const Clock& clock);
  // One that is there, without changing it: every call that writes fails. Also kNotFound;
  // kUnsupported for an older version too.
  static Result<std::unique_ptr<Journal>> OpenToRead(const std::string& path, const Clock& clock);

  // --- Documents: JSON text by name ---
  Result<std::optional<std::string>> Load(std::string_view name) SB_EXCLUDES(mutex_);
  Status Store(std::string_view name, std::string_view json) SB_EXCLUDES(mutex_);
  Status Remove(std::string_view name) SB_EXCLUDES(mutex_);

  // --- Operations ---
  Result<std::int64_t> BeginOperation(std::string_view kind, std::string_view actor,
                                      std::string_view reason) SB_EXCLUDES(mutex_);
  // Adds the step, or overwrites one of the same name: a step that is repeated after a crash.
  Status BeginStep(std::int64_t operation, std::string_view step) SB_EXCLUDES(mutex_);
  Status EndStep(std::int64_t operation, std::string_view step, std::string_view status,
                 std::string_view detail) SB_EXCLUDES(mutex_);
  // With its entry in the history, both or neither. Nothing happens when there is no such
  // operation.
  Status EndOperation(std::int64_t operation, std::string_view status, std::string_view detail_json)
      SB_EXCLUDES(mutex_);
  // Called with each operation that begins or ends, and with each step that does: the operation as
  // it is now and in `steps` that one step. On the caller's thread with the journal locked: it must
  // be quick and must not call the journal. Empty: nobody.
  using Listener = std::function<void(const OperationRecord&)>;
  void SetListener(Listener listener) SB_EXCLUDES(mutex_);
  // kNotFound when there is none.
  Result<OperationRecord> Operation(std::int64_t id) SB_EXCLUDES(mutex_);
  // The newest first, at most `count_max`, of one kind or ("") all.
  Result<std::vector<OperationRecord>> Operations(std::string_view kind, std::size_t count_max)
      SB_EXCLUDES(mutex_);

  // --- Audit: who did what. Each with its entry in the history ---
  Status Audit(std::string_view actor, std::string_view action, std::string_view detail)
      SB_EXCLUDES(mutex_);
  // The newest first.
  Result<std::vector<AuditEntry>> AuditTrail(std::size_t count_max) SB_EXCLUDES(mutex_);

  // --- History ---
  // The number of the new entry. kNotFound: no such operation. kInvalidArgument: no such kind of
  // note, an empty or too long text.
  Result<std::int64_t> AddNote(const OperationNote& note) SB_EXCLUDES(mutex_);
  Result<std::vector<HistoryEntry>> ReadHistory(const HistoryQuery& query) SB_EXCLUDES(mutex_);
  // Whether every entry is as it was written and none is missing. An end that was cut off, here
  // and in the other tables, only shows by `expected_head`, a hash that was kept elsewhere; "" =
  // none. Reads all of it.
  Result<HistoryVerdict> VerifyHistory(std::string_view expected_head) SB_EXCLUDES(mutex_);

  // --- Findings ---
  // In one transaction; an entry of the same record is replaced.
  Status AddFindings(std::string_view list, std::span<const Finding> findings) SB_EXCLUDES(mutex_);
  Status RemoveFinding(std::string_view list, std::string_view collection, std::string_view key)
      SB_EXCLUDES(mutex_);
  // In one transaction; those that are not there are passed over.
  Status RemoveFindings(std::string_view list, std::span<const Finding> findings)
      SB_EXCLUDES(mutex_);
  Status ClearFindings(std::string_view list) SB_EXCLUDES(mutex_);
  Result<std::uint64_t> CountFindings(std::string_view list) SB_EXCLUDES(mutex_);
  // At most `count_max`, in the order of collection and key, beginning after (collection, key).
  Result<std::vector<Finding>> Findings(std::string_view list, std::string_view after_collection,
                                        std::string_view after_key, std::size_t count_max)
      SB_EXCLUDES(mutex_);

 private:
  Journal(SqliteHandle db, const Clock& clock)
      : db_(std::move(db)), history_(db_.get()), clock_(clock) {}

  Status Upgrade() SB_EXCLUDES(mutex_);
  Status TakeUpPast() SB_REQUIRES(mutex_);
  Status Run(std::string_view sql, const SqlBind& bind, const SqlRow& row = {}) SB_REQUIRES(mutex_);
  Result<OperationRecord> Find(std::int64_t operation) SB_REQUIRES(mutex_);
  Status LoadSteps(OperationRecord& operation) SB_REQUIRES(mutex_);
  // Entries in the history, in the transaction at hand.
  Status AppendOperation(std::int64_t id) SB_REQUIRES(mutex_);
  Status AppendAudit(std::int64_t id) SB_REQUIRES(mutex_);
  void Tell(std::int64_t operation, OperationStep step = {}) SB_REQUIRES(mutex_);
  Status DeleteFinding(std::string_view list, std::string_view collection, std::string_view key)
      SB_REQUIRES(mutex_);
  [[nodiscard]] std::string Now() const;

  Mutex mutex_;
  SqliteHandle db_ SB_GUARDED_BY(mutex_);
  History history_ SB_GUARDED_BY(mutex_);
  Listener listener_ SB_GUARDED_BY(mutex_);
  const Clock& clock_;
};

}  // namespace switchback
