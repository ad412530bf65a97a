// The backups of a running service: makes them on demand and on time, verifies, keeps and deletes.
//
// (1) One operation at a time; a second one is refused with the name of the first. (2) Each one
// that makes, verifies or moves a backup is in the journal before it begins. (3) Nothing that is in
// use is deleted. (4) What a crash left behind is removed at the start, and before each backup.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "migration/journal.hpp"
#include "rollback/backup_codec.hpp"
#include "rollback/backup_directory.hpp"
#include "rollback/backup_target.hpp"
#include "rollback/backup_transfer.hpp"
#include "rollback/backup_verifier.hpp"
#include "rollback/backup_writer.hpp"
#include "rollback/restore.hpp"
#include "rollback/retention.hpp"
#include "rollback/upload_queue.hpp"

namespace switchback {

struct BackupManagerOptions {
  std::string directory;
  bool is_compressed = false;  // of backups that are made on time; the default of others
  int compression_level = kBackupCompressionLevel;
  std::uint64_t bytes_per_second = 0;  // 0 = no limit
  std::uint64_t space_margin_bytes = 64ull << 20;
  std::chrono::seconds interval{0};  // between backups made by themselves; 0 = none
  RetentionPolicy retention;
  std::string software;
  RestoreOptions restore;
  // Opens the place off the machine, for each operation anew. Empty: there is none.
  std::function<Result<std::unique_ptr<BackupTarget>>()> open_target;
  bool is_uploading = false;  // each backup that is made goes there by itself
};

// The operation that runs, or the newest one that did.
struct BackupOperation {
  std::string kind;  // "create" "verify" "upload" "download" ...
  std::string id;    // the backup's
  std::string actor;
  bool is_running = false;
  BackupProgressStatus progress;
  std::optional<Error> error;            // how it ended
  std::optional<BackupVerdict> verdict;  // of a verification
  std::int64_t journal_id = 0;
};

// Thread-safe. Errors besides those named: kIo, kCancelled (stopping).
class BackupManager {
 public:
  // All outlive it. Removes leftovers and closes what a crash left open in the journal.
  static Result<std::unique_ptr<BackupManager>> Open(DbService& service, Journal& journal,
                                                     const Clock& clock,
                                                     BackupManagerOptions options);
  ~BackupManager() { Stop(); }
  BackupManager(const BackupManager&) = delete;
  BackupManager& operator=(const BackupManager&) = delete;

  // Cancels what runs and waits for its end.
  void Stop() SB_EXCLUDES(mutex_);

  // What a new request begins with, by the options.
  [[nodiscard]] BackupRequest NewRequest() const;
  // Begins a backup and gives its id. kRefused: another operation runs.
  Result<std::string> Create(BackupRequest request) SB_EXCLUDES(mutex_);
  // The same, and waits for its end: for what must not begin without one.
  Result<std::string> CreateAndWait(BackupRequest request) SB_EXCLUDES(mutex_);
  // Whether the backup that Create has begun is there. An error when it failed, or there is none.
  Result<bool> IsDone(const std::string& id) const SB_EXCLUDES(mutex_);
  // Begins a verification; a full one whenever there has been none yet. kNotFound, kRefused.
  Status Verify(const std::string& id, bool is_full, const std::string& actor) SB_EXCLUDES(mutex_);
  // Begins to copy a backup to the target. kNotFound, kRefused; kUnavailable: there is no target.
  Status Upload(const std::string& id, const std::string& actor) SB_EXCLUDES(mutex_);
  // Begins to copy one from the target, which verifies it in full. kConflict: it is here; kRefused,
  // kUnavailable as above.
  Status Download(const std::string& id, const std::string& actor) SB_EXCLUDES(mutex_);
  // What a restore would do; errors are those of Restore::Plan.
  [[nodiscard]] Result<RestorePlan> PlanRestore(const RestoreRequest& request) const;
  // Begins a restore, or an undo. Errors: those of Restore::Plan; kRefused: another one runs.
  Status BeginRestore(RestoreRequest request) SB_EXCLUDES(mutex_);
  // kNotFound: none runs.
  Status Cancel() SB_EXCLUDES(mutex_);
  [[nodiscard]] std::optional<BackupOperation> Operation() const SB_EXCLUDES(mutex_);

  // Begins any operation on the backup `id` on this object's thread. kRefused: another one runs.
  using Work = std::function<Status(BackupProgress&)>;
  Status Begin(const std::string& kind, const std::string& id, const std::string& actor,
               const std::string& reason, Work work) SB_EXCLUDES(mutex_);

  [[nodiscard]] const BackupDirectory& directory() const { return directory_; }
  // kRefused: it is pinned, or in use.
  Status Delete(const std::string& id, const std::string& actor) SB_EXCLUDES(mutex_);
  Status SetPinned(const std::string& id, bool is_pinned, const std::string& actor)
      SB_EXCLUDES(mutex_);
  // Whether there is a place off the machine, and whether new backups go there by themselves.
  [[nodiscard]] bool has_target() const { return static_cast<bool>(options_.open_target); }
  [[nodiscard]] bool is_uploading() const { return options_.is_uploading; }
  // The newest backups at the target; blocks for it. kUnavailable: there is no target.
  [[nodiscard]] Result<RemoteBackups> ListRemote() const;
  // Deletes one at the target, and what was left of an unfinished upload of it. kNotFound;
  // kRefused: it is in use.
  Status DeleteRemote(const std::string& id, const std::string& actor) SB_EXCLUDES(mutex_);
  // What retention says of each, and unless `is_dry_run` deletes what goes.
  Result<std::vector<RetentionVerdict>> Prune(PruneBy by, bool is_dry_run, const std::string& actor)
      SB_EXCLUDES(mutex_);

 private:
  struct Pending {
    Work work;
    std::int64_t journal_id = 0;
  };
  BackupManager(DbService& service, Journal& journal, const Clock& clock,
                BackupManagerOptions options, BackupDirectory directory)
      : service_(service),
        journal_(journal),
        clock_(clock),
        options_(std::move(options)),
        directory_(std::move(directory)),
        uploads_(journal) {}

  void CloseInterrupted();
  void PlanSchedule();
  void Run() SB_EXCLUDES(mutex_);
  void RunOne(Pending pending) SB_EXCLUDES(mutex_);
  // Begins an operation of its own, and runs it. The error is that of `begin`, not how it ended.
  Status RunOwn(const std::function<Status()>& begin) SB_EXCLUDES(mutex_);
  void CreateIfDue() SB_EXCLUDES(mutex_);
  // If backups go to the target by themselves, this one too.
  void UploadLater(const std::string& id);
  void UploadIfDue() SB_EXCLUDES(mutex_);
  [[nodiscard]] Result<std::unique_ptr<BackupTarget>> OpenTarget() const;
  Status CheckNotInUse(const std::string& id) SB_REQUIRES(mutex_);
  Status DoCreate(const std::string& id, const BackupRequest& request, BackupProgress& progress);
  Status DoVerify(const std::string& id, bool is_full, BackupProgress& progress)
      SB_EXCLUDES(mutex_);
  void Audit(const std::string& actor, const std::string& action, const std::string& detail);

  DbService& service_;
  Journal& journal_;
  const Clock& clock_;
  const BackupManagerOptions options_;
  const BackupDirectory directory_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool is_stopping_ SB_GUARDED_BY(mutex_) = false;
  std::optional<Pending> pending_ SB_GUARDED_BY(mutex_);
  std::optional<BackupOperation> operation_ SB_GUARDED_BY(mutex_);
  std::shared_ptr<BackupProgress> progress_ SB_GUARDED_BY(mutex_);
  // The thread's, once it runs.
  SteadyTime due_at_ = SteadyTime::max();
  UploadQueue uploads_;
  SteadyTime upload_due_at_{};  // the next attempt
  std::thread thread_;
};

}  // namespace switchback
