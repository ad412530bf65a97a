// Runs a migration: one state machine (migration_record.hpp) that the journal keeps, moved by an
// operator's calls and by Tick, which looks at the stores a few times a second.
//
// A call returns once its intent is journaled. What takes long (copying, verifying, rolling back)
// happens on the target's follower, on the verifier's thread, or within Tick.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"
#include "migration/backfill.hpp"
#include "migration/foreground_meter.hpp"
#include "migration/journal.hpp"
#include "migration/machine.hpp"
#include "migration/migration_record.hpp"
#include "migration/migration_rollback.hpp"
#include "migration/migration_status.hpp"
#include "migration/validation_rules.hpp"
#include "service/db_service.hpp"

namespace switchback {

// How a verify of all collections ended.
struct VerifyResult {
  bool is_finished = false;  // it compared everything; else it was cancelled or failed
  std::uint64_t sequence = 0;
  std::uint64_t records = 0;
  std::uint64_t differences = 0;
};

struct MigratorOptions {
  BackfillOptions backfill;    // sizes of its steps; its `source` is set by the migration
  MigrationSettings settings;  // of a new migration
  ValidationRules rules;
  bool is_unverified_allowed = false;  // no flag waits for a verify
  // Begins a verify of all collections, which ends with OnVerifyEnd. kConflict: one is running, and
  // will end so as well. Empty: migrations are not verified.
  std::function<Status(const std::string& actor)> start_verify;
  // Begins a backup and gives its id: "before-migration" or "before-complete". Empty: none is made.
  std::function<Result<std::string>(const std::string& reason, const std::string& actor)>
      begin_backup;
  // Whether it is there; an error when it failed, or nobody knows of it.
  std::function<Result<bool>(const std::string& id)> is_backup_done;
  std::function<MachineReading(const std::string& path)> read_machine = ReadMachine;
};

struct MigrationRequest {
  Role target = Role::kUnified;               // kLegacy: in reverse
  std::vector<std::string> collections = {};  // those alone; none = all
  std::string actor = {};                     // who asks; "" = unknown
  std::string reason = {};
  std::string settings_json = "{}";  // changes to the settings
};

// Thread-safe; Tick from one thread. `service` and `clock` outlive it, and
// `journal` the service's threads, which list invalid records in it. Errors of all
// calls, beside those named: those of the journal, and nothing is changed then.
class Migrator {
 public:
  static constexpr std::chrono::milliseconds kTickInterval{200};

  // Reads the journal's record. kCorruption when it cannot be read.
  static Result<std::unique_ptr<Migrator>> Open(DbService& service, Journal& journal,
                                                const Clock& clock, MigratorOptions options);
  ~Migrator();
  Migrator(const Migrator&) = delete;
  Migrator& operator=(const Migrator&) = delete;

  // For the start of the server, once: goes on with what a crash or stop interrupted.
  Status ResumeIfInterrupted() SB_EXCLUDES(mutex_);
  // A thread that calls Tick until Stop. Before the service is closed.
  void StartThread();
  void Stop();
  void Tick() SB_EXCLUDES(mutex_);

  // --- An operator's calls ---
  // Begins a copy, with a backup before it, or goes on with one. kConflict (one is under way; names
  // who began it), kRefused (the target is in sync already; the source is not; the target holds
  // records that Switchback did not write; it serves with another set of collections),
  // kInvalidArgument (settings, collections that do not exist).
  Status Start(const MigrationRequest& request) SB_EXCLUDES(mutex_);
  // kRefused, with how it stands, where the call makes no sense. Repeating one does no harm.
  Status Pause(const std::string& actor) SB_EXCLUDES(mutex_);
  // Also lets a locked way back try again.
  Status Resume(const std::string& actor) SB_EXCLUDES(mutex_);
  // Rolls back a migration whose copy is not finished.
  Status Cancel(const std::string& actor, const std::string& reason) SB_EXCLUDES(mutex_);
  // Rolls back a finished one too, as long as no key is sent to unified.
  Status Abandon(const std::string& actor, const std::string& reason) SB_EXCLUDES(mutex_);
  // Lets legacy go, after one more clean verify. Needs everything on unified and a clean verify
  // before: kRefused says what is missing. The way back from there is a copy in reverse.
  Status Complete(const std::string& actor, const std::string& reason) SB_EXCLUDES(mutex_);
  // Changes settings of the migration at hand, or of the next one.
  Status ChangeSettings(const std::string& json, const std::string& actor) SB_EXCLUDES(mutex_);
  // A flag may send keys to unified although the copy was not verified. Audited.
  Status AllowUnverified(const std::string& actor, const std::string& reason) SB_EXCLUDES(mutex_);

  // Every verify of all collections ends here, whoever asked for it.
  void OnVerifyEnd(const VerifyResult& result) SB_EXCLUDES(mutex_);

  // Of the newest migration, in order, beginning after (collection, key).
  Result<std::vector<Finding>> InvalidRecordsAfter(std::string_view collection,
                                                   std::string_view key, std::size_t count_max) {
    return journal_.Findings(InvalidRecords::kList, collection, key, count_max);
  }
  [[nodiscard]] MigrationStatus GetStatus() SB_EXCLUDES(mutex_);
  // For DbService::SetFlipGate: kRefused while the copy has to be verified first.
  [[nodiscard]] Status MayFlip() const SB_EXCLUDES(gate_mutex_);

 private:
  Migrator(DbService& service, Journal& journal, const Clock& clock, MigratorOptions options,
           MigrationRecord record);

  [[nodiscard]] Role source() const SB_REQUIRES(mutex_) { return Other(record_.target); }
  // Journals `next`, whose phase the present one may move to, and takes it over.
  Status Move(MigrationRecord next) SB_REQUIRES(mutex_);
  // The same without a change of phase.
  Status Save(MigrationRecord next) SB_REQUIRES(mutex_);
  void Publish(MigrationRecord next) SB_REQUIRES(mutex_) SB_EXCLUDES(gate_mutex_);

  Status CheckMayStart(const MigrationRequest& request, const ServiceStatus& status) const
      SB_REQUIRES(mutex_);
  Status CheckCollections(const MigrationRequest& request) const SB_REQUIRES(mutex_);
  Status ForgetOtherSet(const ServiceStatus& status) SB_REQUIRES(mutex_);
  Result<FillMode> ChooseMode(const MigrationRecord& record) const SB_REQUIRES(mutex_);
  Result<std::uint64_t> CountTargetRecords(ReadView& view) const SB_REQUIRES(mutex_);
  Result<StoreState> StateOf(Role role) const SB_REQUIRES(mutex_);
  Status BeginFill(FillMode mode) SB_REQUIRES(mutex_);
  [[nodiscard]] std::string Where() const SB_REQUIRES(mutex_);
  Status BeginRollback(MigrationRecord next, const std::string& trigger, const std::string& actor,
                       const std::string& reason) SB_REQUIRES(mutex_);

  void Measure(const ServiceStatus& status) SB_REQUIRES(mutex_);
  void TickCopying(const ServiceStatus& status) SB_REQUIRES(mutex_);
  // Whether the backup that comes first is there; begins it. An error when it cannot be made.
  Result<bool> EnsureBackedUp(const std::string& reason) SB_REQUIRES(mutex_);
  void GoOnWithFill(const FollowerStatus& target) SB_REQUIRES(mutex_);
  void CopyDone() SB_REQUIRES(mutex_);
  void TickVerifying(const ServiceStatus& status) SB_REQUIRES(mutex_);
  // Begins a verify unless one runs or was just tried.
  void VerifyIfDue() SB_REQUIRES(mutex_);
  // The target holds everything, and it was compared or need not be.
  Status EndCopy(MigrationRecord next) SB_REQUIRES(mutex_);
  // Whether legacy can be let go now.
  bool TickCompleting(const ServiceStatus& status) SB_REQUIRES(mutex_);
  void EndCompletion(const Status& outcome) SB_REQUIRES(mutex_);
  void RunCompletion() SB_EXCLUDES(mutex_);
  void RunRollback() SB_EXCLUDES(mutex_);
  void CountActiveTime() SB_REQUIRES(mutex_);
  // Rolls back by itself when a limit is passed.
  void CheckLimits(const ServiceStatus& status) SB_REQUIRES(mutex_);
  struct Trigger {
    std::string name;
    std::string reason;
  };
  [[nodiscard]] std::optional<Trigger> PassedLimit(const ServiceStatus& status) SB_REQUIRES(mutex_);
  [[nodiscard]] std::optional<Trigger> TooManyInvalid() const SB_REQUIRES(mutex_);
  void RollBackFor(const Trigger& trigger) SB_REQUIRES(mutex_);
  [[nodiscard]] bool IsOutOfReach(const ServiceStatus& status) const SB_REQUIRES(mutex_);

  DbService& service_;
  Journal& journal_;
  const Clock& clock_;
  const MigratorOptions options_;
  MigrationRollback rollback_;
  const std::shared_ptr<Throttle> throttle_ = std::make_shared<Throttle>();

  mutable Mutex mutex_;
  MigrationRecord record_ SB_GUARDED_BY(mutex_);
  std::shared_ptr<BackfillProgress> progress_ SB_GUARDED_BY(mutex_);  // of the newest fill, or null
  std::shared_ptr<InvalidRecords> invalid_ SB_GUARDED_BY(mutex_);
  LatencyMeter reads_ SB_GUARDED_BY(mutex_);
  LatencyMeter writes_ SB_GUARDED_BY(mutex_);
  MachineReading machine_ SB_GUARDED_BY(mutex_);
  std::optional<SteadyTime> out_of_reach_since_ SB_GUARDED_BY(mutex_);
  int memory_ticks_ SB_GUARDED_BY(mutex_) = 0;  // in a row with too little memory
  std::optional<SteadyTime> active_at_ SB_GUARDED_BY(mutex_);
  double active_seconds_ SB_GUARDED_BY(mutex_) = 0;
  SteadyTime retry_at_ SB_GUARDED_BY(mutex_);
  bool is_verify_running_ SB_GUARDED_BY(mutex_) = false;
  bool is_completion_verified_ SB_GUARDED_BY(mutex_) = false;
  std::string backup_of_process_ SB_GUARDED_BY(mutex_);  // the one that this process has begun
  bool has_rolled_back_ SB_GUARDED_BY(mutex_) = false;   // rollback_ has something to show

  mutable Mutex gate_mutex_;
  std::string why_unverified_ SB_GUARDED_BY(gate_mutex_);

  Mutex thread_mutex_;
  CondVar thread_wake_;
  bool is_stopping_ SB_GUARDED_BY(thread_mutex_) = false;
  std::thread thread_;
};

}  // namespace switchback
