#include "rollback/backup_manager.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/check.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kJournalKind = "backup";
constexpr std::size_t kInterruptedMax = 100;
constexpr std::chrono::milliseconds kSchedulePoll{500};
constexpr std::chrono::seconds kRetryAfter{600};
constexpr std::size_t kRemoteListMax = 200;

std::int64_t UnixSeconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

Result<std::unique_ptr<BackupManager>> BackupManager::Open(DbService& service, Journal& journal,
                                                           const Clock& clock,
                                                           BackupManagerOptions options) {
  auto directory = BackupDirectory::Open(options.directory);
  if (!directory) return Fail(WithContext(directory.error(), "backups"));
  SB_RETURN_IF_ERROR(directory->RemoveLeftovers());
  std::unique_ptr<BackupManager> manager(
      new BackupManager(service, journal, clock, std::move(options), *std::move(directory)));
  manager->CloseInterrupted();
  manager->PlanSchedule();
  if (auto loaded = manager->uploads_.Load(); !loaded)
    LogWarning("backups: {}", loaded.error().message);
  manager->thread_ = std::thread([raw = manager.get()] { raw->Run(); });
  return manager;
}

void BackupManager::CloseInterrupted() {
  const auto operations = journal_.Operations(kJournalKind, kInterruptedMax);
  if (!operations) return LogWarning("backups: {}", operations.error().message);
  for (const OperationRecord& operation : *operations) {
    if (operation.status != "running") continue;
    if (auto ended = journal_.EndOperation(operation.id, "failed",
                                           R"({"error":"the server was stopped meanwhile"})");
        !ended)
      LogWarning("backups: {}", ended.error().message);
  }
}

// By the steady clock from here on, so that a wall clock that jumps makes neither many nor none.
void BackupManager::PlanSchedule() {
  if (options_.interval.count() == 0) return;
  due_at_ = clock_.Now();
  const auto entries = directory_.List();
  if (!entries) return;
  for (const BackupEntry& entry : *entries) {
    if (!entry.manifest) continue;
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(clock_.WallNow() -
                                                                      entry.manifest->created_at);
    due_at_ = clock_.Now() +
              (options_.interval - std::clamp(age, std::chrono::seconds(0), options_.interval));
    return;  // the newest
  }
}

void BackupManager::Stop() {
  {
    MutexLock lock(mutex_);
    is_stopping_ = true;
    if (progress_) progress_->Cancel();
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

BackupRequest BackupManager::NewRequest() const {
  BackupRequest request;
  request.software = options_.software;
  request.is_compressed = options_.is_compressed;
  request.compression_level = options_.compression_level;
  request.space_margin_bytes = options_.space_margin_bytes;
  return request;
}

Status BackupManager::Begin(const std::string& kind, const std::string& id,
                            const std::string& actor, const std::string& reason, Work work) {
  MutexLock lock(mutex_);
  if (is_stopping_) return Fail(ErrorCode::kCancelled, "the server is stopping");
  if (operation_ && operation_->is_running)
    return Fail(ErrorCode::kRefused,
                "another operation runs: " + operation_->kind + " of backup " + operation_->id +
                    (operation_->actor.empty() ? "" : ", for " + operation_->actor));
  const auto journal_id = journal_.BeginOperation(kJournalKind, actor, reason);
  if (!journal_id) return Fail(journal_id.error());
  operation_ = BackupOperation{kind, id, actor, true, {}, {}, {}, *journal_id};
  progress_ = std::make_shared<BackupProgress>(clock_, options_.bytes_per_second);
  pending_ = Pending{std::move(work), *journal_id};
  changed_.NotifyAll();
  return {};
}

Result<std::string> BackupManager::Create(BackupRequest request) {
  const std::string id = NewBackupId(clock_.WallNow());
  const std::string actor = request.actor;
  const std::string reason = request.note.empty() ? BackupReasonName(request.reason) : request.note;
  auto begun = Begin("create", id, actor, reason,
                     [this, id, request = std::move(request)](BackupProgress& progress) {
                       return DoCreate(id, request, progress);
                     });
  if (!begun) return Fail(begun.error());
  return id;
}

Status BackupManager::DoCreate(const std::string& id, const BackupRequest& request,
                               BackupProgress& progress) {
  SB_RETURN_IF_ERROR(directory_.RemoveLeftovers());
  auto written = WriteBackup(service_, directory_, id, request, clock_, progress);
  if (!written) return Fail(written.error());
  LogInfo("backup {}: batch {}, {} bytes in {} ms", id, written->sequence, written->bytes(),
          written->duration.count());
  if (written->differences.empty()) {
    UploadLater(id);
    return {};
  }
  return Fail(ErrorCode::kCorruption, "the backup is there, but its halves differ in " +
                                          written->differences.front() +
                                          ": run `switchback verify`");
}

Result<std::string> BackupManager::CreateAndWait(BackupRequest request) {
  auto id = Create(std::move(request));
  if (!id) return id;
  MutexLock lock(mutex_);
  // Another operation may have begun since this one ended: that it has a backup tells then.
  while (operation_->id == *id && operation_->is_running) changed_.Wait(mutex_);
  if (operation_->id == *id && operation_->error) return Fail(*operation_->error);
  const auto entry = directory_.Load(*id);
  if (!entry) return Fail(entry.error());
  return id;
}

Result<bool> BackupManager::IsDone(const std::string& id) const {
  {
    MutexLock lock(mutex_);
    if (operation_ && operation_->id == id && operation_->is_running) return false;
    if (operation_ && operation_->id == id && operation_->error) return Fail(*operation_->error);
  }
  const auto entry = directory_.Load(id);
  if (!entry) return Fail(entry.error());
  if (!entry->damage.empty()) return Fail(ErrorCode::kCorruption, entry->damage);
  return true;
}

Status BackupManager::Verify(const std::string& id, bool is_full, const std::string& actor) {
  const auto entry = directory_.Load(id);
  if (!entry) return Fail(entry.error());
  const bool is_first = entry->state.verified_at == 0;
  return Begin("verify", id, actor, "verify " + id,
               [this, id, is_full = is_full || is_first](BackupProgress& progress) {
                 return DoVerify(id, is_full, progress);
               });
}

Status BackupManager::DoVerify(const std::string& id, bool is_full, BackupProgress& progress) {
  auto verdict = VerifyBackup(directory_, id, is_full, progress);
  if (!verdict) return Fail(verdict.error());
  const auto entry = directory_.Load(id);
  if (!entry) return Fail(entry.error());
  if (entry->damage.empty()) {  // a damaged state stays as it is, for people to see
    BackupState state = entry->state;
    state.checked_at = UnixSeconds(clock_.WallNow());
    if (verdict->is_full) state.verified_at = state.checked_at;
    state.problem = verdict->is_ok() ? "" : verdict->problems.front();
    SB_RETURN_IF_ERROR(directory_.SetState(id, state));
  }
  MutexLock lock(mutex_);
  operation_->verdict = *verdict;
  if (verdict->is_ok()) return {};
  return Fail(ErrorCode::kCorruption, "backup " + id + ": " + verdict->problems.front());
}

Result<RestorePlan> BackupManager::PlanRestore(const RestoreRequest& request) const {
  return Restore(service_, directory_, clock_, options_.restore).Plan(request);
}

Status BackupManager::BeginRestore(RestoreRequest request) {
  if (auto plan = PlanRestore(request); !plan) return Fail(plan.error());
  const std::string kind = request.is_undo() ? "undo" : "restore";
  const std::string reason = request.reason.empty() ? kind + " " + request.id : request.reason;
  const std::string id = request.id;
  const std::string actor = request.actor;
  return Begin(kind, id, actor, reason,
               [this, kind, request = std::move(request)](BackupProgress& progress) -> Status {
                 Restore restore(service_, directory_, clock_, options_.restore);
                 const auto upload_later = [this](const std::string& made) { UploadLater(made); };
                 SB_RETURN_IF_ERROR(restore.Run(request, NewRequest(), upload_later, progress));
                 Audit(request.actor, kind, request.id);
                 return {};
               });
}

Result<std::unique_ptr<BackupTarget>> BackupManager::OpenTarget() const {
  if (options_.open_target) return options_.open_target();
  return Fail(ErrorCode::kUnavailable,
              "there is no place for backups off this machine: set backup_target in the "
              "configuration and start the server again");
}

Status BackupManager::Upload(const std::string& id, const std::string& actor) {
  if (const auto entry = directory_.Load(id); !entry) return Fail(entry.error());
  if (const auto target = OpenTarget(); !target) return Fail(target.error());
  return Begin("upload", id, actor, "upload " + id, [this, id](BackupProgress& progress) -> Status {
    const auto target = OpenTarget();
    if (!target) return Fail(target.error());
    SB_RETURN_IF_ERROR(UploadBackup(directory_, id, **target, progress));
    LogInfo("backup {} is at {}", id, (*target)->Name());
    return uploads_.Remove(id);
  });
}

Status BackupManager::Download(const std::string& id, const std::string& actor) {
  if (!IsValidBackupId(id)) return Fail(ErrorCode::kInvalidArgument, "that is no id of a backup");
  if (directory_.Load(id))
    return Fail(ErrorCode::kConflict, "there is a backup " + id + " here already");
  if (const auto target = OpenTarget(); !target) return Fail(target.error());
  return Begin("download", id, actor, "download " + id,
               [this, id](BackupProgress& progress) -> Status {
                 const auto target = OpenTarget();
                 if (!target) return Fail(target.error());
                 SB_RETURN_IF_ERROR(DownloadBackup(**target, id, directory_, clock_,
                                                   options_.space_margin_bytes, progress));
                 LogInfo("backup {} is here from {}", id, (*target)->Name());
                 return {};
               });
}

Result<RemoteBackups> BackupManager::ListRemote() const {
  const auto target = OpenTarget();
  if (!target) return Fail(target.error());
  BackupProgress progress(clock_, 0);
  return ListRemoteBackups(**target, kRemoteListMax, progress);
}

Status BackupManager::DeleteRemote(const std::string& id, const std::string& actor) {
  const auto target = OpenTarget();
  if (!target) return Fail(target.error());
  {
    MutexLock lock(mutex_);
    SB_RETURN_IF_ERROR(CheckNotInUse(id));
  }
  BackupProgress progress(clock_, 0);
  SB_RETURN_IF_ERROR((*target)->Remove(id, progress));
  LogInfo("backup {} was deleted at {} by {}", id, (*target)->Name(), actor);
  Audit(actor, "backup-delete-remote", id);
  return {};
}

Status BackupManager::Cancel() {
  MutexLock lock(mutex_);
  if (!operation_ || !operation_->is_running)
    return Fail(ErrorCode::kNotFound, "no operation on backups runs");
  progress_->Cancel();
  return {};
}

std::optional<BackupOperation> BackupManager::Operation() const {
  MutexLock lock(mutex_);
  auto operation = operation_;
  if (operation) operation->progress = progress_->GetStatus();
  if (operation && !operation->is_running) {
    if (!operation->error) operation->progress.percent = 100;
    operation->progress.eta_seconds.reset();
  }
  return operation;
}

void BackupManager::Run() {
  while (true) {
    std::optional<Pending> pending;
    {
      MutexLock lock(mutex_);
      if (!is_stopping_ && !pending_)
        changed_.WaitUntil(mutex_, std::chrono::steady_clock::now() + kSchedulePoll);
      pending.swap(pending_);
      if (!pending && is_stopping_) return;
    }
    if (pending) {
      RunOne(*std::move(pending));
    } else {
      CreateIfDue();
      UploadIfDue();
    }
  }
}

void BackupManager::RunOne(Pending pending) {
  std::shared_ptr<BackupProgress> progress;
  {
    MutexLock lock(mutex_);
    progress = progress_;
  }
  Status done = pending.work(*progress);
  Json detail;
  std::string kind;
  {
    MutexLock lock(mutex_);
    detail = {{"operation", operation_->kind}, {"id", operation_->id}};
    kind = operation_->kind;
  }
  const BackupProgressStatus reached = progress->GetStatus();
  detail["bytes"] = reached.bytes_done;
  if (reached.records) detail["records"] = *reached.records;
  if (!reached.critical.empty()) detail["critical"] = reached.critical;
  detail["stages"] = reached.stages;
  if (!done) {
    detail["error"] = done.error().message;
    LogWarning("backup: {}: {}", kind, done.error().message);
  }
  const bool is_cancelled = !done && done.error().code == ErrorCode::kCancelled;
  const char* status = done ? "done" : is_cancelled ? "cancelled" : "failed";
  if (auto ended = journal_.EndOperation(
          pending.journal_id, status, detail.dump(-1, ' ', false, Json::error_handler_t::replace));
      !ended)
    LogWarning("backup: {}", ended.error().message);
  MutexLock lock(mutex_);
  operation_->is_running = false;
  if (!done) operation_->error = done.error();
  changed_.NotifyAll();
}

Status BackupManager::RunOwn(const std::function<Status()>& begin) {
  SB_RETURN_IF_ERROR(begin());
  std::optional<Pending> pending;
  {
    MutexLock lock(mutex_);
    pending.swap(pending_);
  }
  if (pending) RunOne(*std::move(pending));
  return {};
}

void BackupManager::UploadLater(const std::string& id) {
  if (!options_.is_uploading || !options_.open_target) return;
  if (auto added = uploads_.Add(id); !added)
    LogWarning("backup {} will not be uploaded by itself: {}", id, added.error().message);
  upload_due_at_ = clock_.Now();
}

// What waits goes in the order in which it was made. A backup that is not here any more, or is not
// whole, will never go: only a target that is away is worth another attempt.
void BackupManager::UploadIfDue() {
  if (!options_.is_uploading || !options_.open_target || uploads_.ids().empty()) return;
  if (clock_.Now() < upload_due_at_) return;
  const std::string id = uploads_.ids().front();
  const auto begun = RunOwn([&] { return Upload(id, "schedule"); });
  const auto operation = Operation();
  if (!begun && begun.error().code == ErrorCode::kRefused && operation && operation->is_running)
    return;  // as soon as it has ended
  std::optional<Error> error;
  if (!begun) {
    error = begun.error();
    LogWarning("backup: upload {}: {}", id, error->message);
  } else if (operation->id == id) {
    error = operation->error;
  }
  if (!error) return;
  upload_due_at_ = clock_.Now() + kRetryAfter;
  const bool is_hopeless = error->code == ErrorCode::kCorruption ||
                           error->code == ErrorCode::kConflict || !directory_.Load(id).has_value();
  if (!is_hopeless) return;
  LogWarning("backup {} will not be uploaded by itself: {}", id, error->message);
  if (auto removed = uploads_.Remove(id); !removed)
    LogWarning("backup: {}", removed.error().message);
}

void BackupManager::CreateIfDue() {
  const SteadyTime now = clock_.Now();  // from when the interval counts
  if (now < due_at_) return;
  BackupRequest request = NewRequest();
  request.reason = BackupReason::kScheduled;
  request.actor = "schedule";
  const auto begun = RunOwn([&]() -> Status {
    const auto id = Create(std::move(request));
    return id ? Status{} : Status(Fail(id.error()));
  });
  // Another operation runs: as soon as it has ended.
  if (!begun && begun.error().code == ErrorCode::kRefused) return;
  if (!begun) {
    LogWarning("backup: {}", begun.error().message);
    due_at_ = now + std::min<std::chrono::seconds>(options_.interval, kRetryAfter);
    return;
  }
  const auto operation = Operation();
  const bool is_done = operation && !operation->error;
  due_at_ = now + (is_done ? options_.interval
                           : std::min<std::chrono::seconds>(options_.interval, kRetryAfter));
  if (!is_done) return;
  if (auto pruned = Prune(PruneBy::kSchedule, false, "schedule"); !pruned)
    LogWarning("backup: prune: {}", pruned.error().message);
}

Status BackupManager::CheckNotInUse(const std::string& id) {
  if (operation_ && operation_->is_running && operation_->id == id)
    return Fail(ErrorCode::kRefused, "backup " + id + " is in use: " + operation_->kind);
  return {};
}

Status BackupManager::Delete(const std::string& id, const std::string& actor) {
  const auto entry = directory_.Load(id);
  if (!entry) return Fail(entry.error());
  // A state that cannot be read counts as pinned where nobody decides, not where somebody does.
  if (entry->state.is_pinned && entry->is_state_known)
    return Fail(ErrorCode::kRefused, "backup " + id + " is pinned: unpin it first");
  MutexLock lock(mutex_);
  SB_RETURN_IF_ERROR(CheckNotInUse(id));
  SB_RETURN_IF_ERROR(directory_.Remove(id));
  LogInfo("backup {} was deleted by {}", id, actor);
  Audit(actor, "backup-delete", id);
  return {};
}

Status BackupManager::SetPinned(const std::string& id, bool is_pinned, const std::string& actor) {
  const auto entry = directory_.Load(id);
  if (!entry) return Fail(entry.error());
  if (!entry->damage.empty())
    return Fail(ErrorCode::kRefused, "backup " + id + " is damaged: " + entry->damage);
  MutexLock lock(mutex_);
  SB_RETURN_IF_ERROR(CheckNotInUse(id));
  BackupState state = entry->state;
  state.is_pinned = is_pinned;
  SB_RETURN_IF_ERROR(directory_.SetState(id, state));
  Audit(actor, is_pinned ? "backup-pin" : "backup-unpin", id);
  return {};
}

Result<std::vector<RetentionVerdict>> BackupManager::Prune(PruneBy by, bool is_dry_run,
                                                           const std::string& actor) {
  const auto entries = directory_.List();
  if (!entries) return Fail(entries.error());
  MutexLock lock(mutex_);
  std::vector<RetentionItem> items;
  for (const BackupEntry& entry : *entries) {
    RetentionItem item;
    item.id = entry.id;
    item.is_damaged = !entry.manifest || !entry.damage.empty();
    item.is_pinned = entry.state.is_pinned;
    item.is_verified = entry.is_verified();
    item.is_in_use = !CheckNotInUse(entry.id).has_value();
    if (entry.manifest) {
      item.created_at = entry.manifest->created_at;
      item.reason = entry.manifest->reason;
    }
    items.push_back(std::move(item));
  }
  auto verdicts = DecideRetention(options_.retention, std::move(items), clock_.WallNow(), by);
  if (is_dry_run) return verdicts;
  for (const RetentionVerdict& verdict : verdicts) {
    if (!verdict.goes) continue;
    SB_RETURN_IF_ERROR(directory_.Remove(verdict.id));
    LogInfo("backup {} was deleted: {}", verdict.id, verdict.why);
    Audit(actor, "backup-prune", verdict.id + ": " + verdict.why);
  }
  return verdicts;
}

void BackupManager::Audit(const std::string& actor, const std::string& action,
                          const std::string& detail) {
  if (auto audited = journal_.Audit(actor, action, detail); !audited)
    LogWarning("backup: {}", audited.error().message);
}

}  // namespace switchback
