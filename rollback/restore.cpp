#include "rollback/restore.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <thread>

#include "backends/store_file.hpp"
#include "common/failpoint.hpp"
#include "common/file.hpp"
#include "common/log.hpp"
#include "common/remove_tree.hpp"
#include "migration/journal.hpp"
#include "rollback/backup_codec.hpp"
#include "rollback/generation_layout.hpp"
#include "rollback/store_copy.hpp"
#include "rollback/yield_to_clients.hpp"

namespace switchback {
namespace {

Status AdoptStores(const std::vector<ReplayTarget>& targets) {
  std::vector<Status> outcomes(targets.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    threads.emplace_back([&target = targets[i], &outcome = outcomes[i]] {
      outcome = AdoptStore(target.engine, target.path);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Status& outcome : outcomes) SB_RETURN_IF_ERROR(outcome);
  return {};
}

// Removes a generation that was not gone over to.
class UnusedGeneration {
 public:
  explicit UnusedGeneration(std::string path) : path_(std::move(path)) {}
  ~UnusedGeneration() {
    if (!path_.empty()) static_cast<void>(RemoveTree(path_));
  }
  UnusedGeneration(const UnusedGeneration&) = delete;
  UnusedGeneration& operator=(const UnusedGeneration&) = delete;
  void Keep() { path_.clear(); }

 private:
  std::string path_;
};

Result<std::uint64_t> FreeBytes(const std::string& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) return FailErrno("statvfs " + path, errno);
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

std::vector<std::string> GenerationPaths(const std::string& data_dir) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(data_dir, error)) {
    if (entry.path().filename().string().rfind("gen-", 0) == 0) paths.push_back(entry.path());
  }
  return paths;
}

bool IsFilling(const ServiceStatus& status) {
  return std::any_of(status.followers.begin(), status.followers.end(), [](const auto& store) {
    return store.state == FollowerState::kBackfilling || store.is_fill_under_way;
  });
}

}  // namespace

Result<RestorePlan> Restore::Plan(const RestoreRequest& request) const {
  return request.is_undo() ? PlanUndo() : PlanBackup(request);
}

Result<RestorePlan> Restore::PlanUndo() const {
  const ServiceStatus status = service_.GetStatus();
  if (status.previous_generation.empty())
    return Fail(ErrorCode::kNotFound, "there is no generation before this one to go back to");
  if (IsFilling(status))
    return Fail(ErrorCode::kRefused, "a copy is under way: `switchback migrate cancel` ends it");
  RestorePlan plan;
  plan.generation = status.generation;
  plan.epoch_now = status.epoch;
  plan.sequence_now = status.last_sequence;
  plan.batches_lost = status.last_sequence + 1 - status.log_first_sequence;
  plan.steps = {"apply to the stores of " + status.previous_generation + " what its log holds",
                "go over to them while clients wait for a moment"};
  plan.warnings.push_back("what was written since " + status.generation +
                          " began is not there afterwards; a second undo brings it back");
  return plan;
}

Status Restore::CheckMayRestore(const RestoreRequest& request,
                                const BackupManifest& manifest) const {
  if (IsFilling(service_.GetStatus()))
    return Fail(ErrorCode::kRefused, "a copy is under way: `switchback migrate cancel` ends it");
  if (request.from && manifest.half(*request.from) == nullptr)
    return Fail(ErrorCode::kRefused,
                fmt::format("backup {} has no half of {}", manifest.id, RoleName(*request.from)));
  if (!request.from && !manifest.differences.empty())
    return Fail(ErrorCode::kRefused,
                fmt::format("the halves of backup {} differ in {}: say with --from which one is to "
                            "be taken for both",
                            manifest.id, manifest.differences.front()));
  const std::uint64_t version_max =
      options_.schema_version_max ? options_.schema_version_max() : manifest.schema_version;
  if (manifest.schema_version > version_max)
    return Fail(ErrorCode::kRefused,
                fmt::format("backup {} has version {} of the schema, and the files here go up to "
                            "{}: put the newer ones there first",
                            manifest.id, manifest.schema_version, version_max));
  return {};
}

std::string Restore::DataDirectory() const {
  return ParentDirectory(service_.NewGeneration().path);
}

Result<BackupManifest> Restore::LoadManifest(const std::string& id) const {
  auto entry = directory_.Load(id);
  if (!entry) return Fail(entry.error());
  if (!entry->manifest) return Fail(ErrorCode::kCorruption, entry->damage);
  return *std::move(entry->manifest);
}

Result<std::optional<BackupManifest>> Restore::NearestBefore(const LogMoment& moment) const {
  const auto entries = directory_.List();
  if (!entries) return Fail(entries.error());
  const BackupManifest* nearest = nullptr;
  for (const BackupEntry& entry : *entries) {
    if (!entry.is_verified() || entry.manifest->epoch != moment.epoch ||
        entry.manifest->sequence > moment.sequence)
      continue;
    if (nearest == nullptr || nearest->sequence < entry.manifest->sequence)
      nearest = &*entry.manifest;
  }
  if (nearest == nullptr) return std::optional<BackupManifest>();
  return std::optional<BackupManifest>(*nearest);
}

EpochRecord Restore::Epochs() const {
  return EpochRecord(DataDirectory() + "/epochs.json");
}

Result<std::vector<LogPiece>> Restore::AllPieces() const {
  std::vector<LogPiece> pieces;
  // Also of those that stay only because their stores are in use again: an undo begins a log of its
  // own.
  for (const std::string& generation : GenerationPaths(DataDirectory())) {
    const auto live = InspectLogDirectory(generation + "/log");
    if (!live) return live;
    for (LogPiece piece : *live) {
      if (options_.archive != nullptr)
        piece.path_later = options_.archive->StagedPath(piece.epoch, piece.path);
      pieces.push_back(std::move(piece));
    }
  }
  if (options_.archive != nullptr) {  // after the log: what leaves it meanwhile is then seen twice
    const auto archived = options_.archive->Pieces();
    if (!archived) return archived;
    pieces.insert(pieces.end(), archived->begin(), archived->end());
  }
  std::erase_if(pieces, [](const LogPiece& piece) { return piece.is_empty(); });
  SortPieces(pieces);
  return pieces;
}

Result<Restore::Source> Restore::FindSource(const RestoreRequest& request) const {
  Source source;
  if (!request.has_moment()) {
    auto manifest = LoadManifest(request.id);
    if (!manifest) return Fail(manifest.error());
    source.manifest = *std::move(manifest);
    source.until = {source.manifest.epoch, source.manifest.sequence};
    return source;
  }
  if (options_.archive != nullptr) source.hold = options_.archive->HoldPieces();
  const auto pieces = AllPieces();
  if (!pieces) return Fail(pieces.error());
  const auto moment = request.to_sequence ? FindSequence(*pieces, *request.to_sequence)
                                          : FindTime(*pieces, Epochs().Load(), *request.to_time);
  if (!moment) return Fail(moment.error());
  source.until = *moment;
  SB_RETURN_IF_ERROR(FindWay(request, *moment, *pieces, source));
  return source;
}

Status Restore::FindWay(const RestoreRequest& request, LogMoment moment,
                        const std::vector<LogPiece>& pieces, Source& source) const {
  std::optional<BackupManifest> asked;
  if (!request.id.empty()) {
    auto manifest = LoadManifest(request.id);
    if (!manifest) return Fail(manifest.error());
    asked = *std::move(manifest);
  }
  const std::vector<EpochOrigin> origins = Epochs().Load();
  const LogMoment target = moment;
  while (true) {
    std::optional<BackupManifest> found = asked;
    if (!asked) {
      auto nearest = NearestBefore(moment);
      if (!nearest) return Fail(nearest.error());
      found = *std::move(nearest);
    }
    const bool is_there =
        found && found->epoch == moment.epoch && found->sequence <= moment.sequence;
    std::uint64_t after = is_there ? found->sequence : 0;
    LogMoment before;
    if (!is_there) {
      const auto origin = OriginOf(origins, moment);
      if (!origin && asked)
        return Fail(
            ErrorCode::kRefused,
            fmt::format("backup {} stands at batch {} of epoch {}: batch {} of epoch {} "
                        "does not come after it",
                        asked->id, asked->sequence, asked->epoch, target.sequence, target.epoch));
      if (!origin) return Fail(origin.error());
      after = *origin->begins_after;
      before = origin->from;
    }
    auto between = PiecesBetween(pieces, after, moment);
    if (!between) return Fail(between.error());
    source.legs.insert(source.legs.begin(), Leg{after, moment, *std::move(between)});
    if (is_there) {
      source.manifest = *std::move(found);
      return {};
    }
    moment = before;
  }
}

Result<RestorePlan> Restore::PlanBackup(const RestoreRequest& request) const {
  const auto source = FindSource(request);
  if (!source) return Fail(source.error());
  const BackupManifest& manifest = source->manifest;
  SB_RETURN_IF_ERROR(CheckMayRestore(request, manifest));
  const ServiceStatus status = service_.GetStatus();
  RestorePlan plan;
  plan.id = manifest.id;
  plan.generation = status.generation;
  plan.epoch = manifest.epoch;
  plan.sequence = manifest.sequence;
  plan.epoch_now = status.epoch;
  plan.sequence_now = status.last_sequence;
  plan.created_at = manifest.created_at;
  plan.until = source->until.sequence;
  plan.batches_lost = status.last_sequence - std::min(status.last_sequence, plan.until);
  for (const BackupHalf& half : manifest.halves) plan.bytes_needed += half.raw_bytes;
  if (request.from) plan.bytes_needed = 2 * manifest.half(*request.from)->raw_bytes;
  const auto free = FreeBytes(DataDirectory());
  if (!free) return Fail(free.error());
  plan.bytes_free = *free;
  if (plan.bytes_free < plan.bytes_needed)
    return Fail(ErrorCode::kNoSpace, fmt::format("not enough space: the stores need {} bytes, and "
                                                 "the data directory has {}",
                                                 plan.bytes_needed, plan.bytes_free));
  if (!request.is_without_safety_backup) plan.steps.push_back("make a backup of what is there now");
  plan.steps.push_back("unpack and check backup " + manifest.id + " beside the stores in use");
  for (const Leg& leg : source->legs) {
    if (leg.until.sequence > leg.after)
      plan.steps.push_back(fmt::format("apply to it batches {} to {} of epoch {} of the log",
                                       leg.after + 1, leg.until.sequence, leg.until.epoch));
  }
  plan.steps.push_back("go over to it while clients wait for a moment");
  plan.steps.push_back("keep " + status.generation + " for `switchback restore --undo`");
  plan.warnings.push_back(
      request.has_moment()
          ? fmt::format("the {} batches written after batch {} are not there afterwards",
                        plan.batches_lost, plan.until)
          : fmt::format("the {} batches written since {} are not there afterwards",
                        plan.batches_lost, FormatUtc(manifest.created_at)));
  for (const Role role : kRoles) {
    if (!request.from && manifest.half(role) == nullptr)
      plan.warnings.push_back(
          fmt::format("the backup has no {}: it has to be filled afterwards", RoleName(role)));
  }
  if (status.log_id != manifest.log_id) {
    if (!request.is_foreign_allowed)
      return Fail(ErrorCode::kRefused, fmt::format("backup {} is of another data directory: say "
                                                   "--foreign if that is what you want",
                                                   manifest.id));
    plan.batches_lost = status.last_sequence;
    plan.warnings.push_back("the backup is of another data directory: nothing of this one stays");
  }
  return plan;
}

Status Restore::Run(const RestoreRequest& request, const BackupRequest& safety,
                    const TakeBackup& take_safety, BackupProgress& progress) {
  progress.SetStage("validate");
  const auto plan = Plan(request);
  if (!plan) return Fail(plan.error());
  if (!request.is_undo() && !request.is_without_safety_backup)
    SB_RETURN_IF_ERROR(MakeSafetyBackup(request, safety, take_safety, progress));
  const auto built = BuildGeneration(request, progress);
  if (!built) return Fail(built.error());
  UnusedGeneration unused(DataDirectory() + "/" + built->generation);
  progress.SetStage("switch");
  SB_RETURN_IF_ERROR(progress.Advance(0));  // the last moment to cancel
  SB_RETURN_IF_ERROR(Failpoint("restore.switch"));
  NoteEpoch(built->from, /*has_begun=*/false);
  SB_RETURN_IF_ERROR(service_.SwitchGeneration(built->generation, options_.switch_wait_max));
  unused.Keep();
  NoteEpoch(built->from, /*has_begun=*/true);
  progress.SetStage("check");
  if (const Status checked = CheckAfterwards(built->generation); !checked) {
    // What is written from now on would be lost by going back once more.
    progress.SetCritical(checked.error().message);
    return checked;
  }
  if (auto removed = service_.RemoveUnusedGenerations(); !removed)
    LogWarning("restore: {}", removed.error().message);
  return {};
}

Status Restore::MakeSafetyBackup(const RestoreRequest& request, const BackupRequest& safety,
                                 const TakeBackup& take_safety, BackupProgress& progress) {
  BackupRequest backup = safety;
  backup.reason = BackupReason::kBeforeRestore;
  backup.actor = request.actor;
  backup.note = "before the restore of " + request.id;
  SB_RETURN_IF_ERROR(Failpoint("restore.safety"));
  const auto made =
      WriteBackup(service_, directory_, NewBackupId(clock_.WallNow()), backup, clock_, progress);
  if (made) {
    if (made->differences.empty()) take_safety(made->id);
    return {};
  }
  if (made.error().code == ErrorCode::kCancelled) return Fail(made.error());
  return Fail(made.error().code,
              "no backup of what is there now could be made: " + made.error().message +
                  ". --no-safety-backup goes on without one; the generation in use stays as the "
                  "undo all the same");
}

// Where a way leads through is a help for later restores; none of them depends on it.
void Restore::NoteEpoch(const LogMoment& from, bool has_begun) const {
  const ServiceStatus status = service_.GetStatus();
  EpochOrigin origin{has_begun ? status.epoch : status.epoch + 1, from, {}, clock_.WallNow()};
  if (has_begun) {
    const auto log = InspectLogDirectory(DataDirectory() + "/" + status.generation + "/log");
    if (log && !log->empty() && log->front().epoch == origin.epoch)
      origin.begins_after = log->front().first_sequence - 1;
  }
  if (auto noted = Epochs().Note(origin); !noted)
    LogWarning("restore: where epoch {} came from is not noted: {}", origin.epoch,
               noted.error().message);
}

Result<LogMoment> Restore::EndOf(const std::string& generation) const {
  const auto log = InspectLogDirectory(DataDirectory() + "/" + generation + "/log");
  if (!log) return Fail(log.error());
  if (log->empty()) return LogMoment{};
  return LogMoment{log->back().epoch, log->back().last_sequence};
}

Result<Restore::Built> Restore::BuildGeneration(const RestoreRequest& request,
                                                BackupProgress& progress) {
  if (request.is_undo()) {
    progress.SetStage("replay");
    const std::string previous = service_.GetStatus().previous_generation;
    const auto revived = service_.ReviveGeneration(previous);
    if (!revived) return Fail(revived.error());
    const auto end = EndOf(previous);
    if (!end) return Fail(end.error());
    return Built{*revived, *end};
  }
  const auto source = FindSource(request);
  if (!source) return Fail(source.error());
  const BackupManifest& manifest = source->manifest;
  const auto place = service_.NewGeneration();
  UnusedGeneration unused(place.path);
  SB_RETURN_IF_ERROR(BuildStores(request, manifest, place.path, progress));
  SB_RETURN_IF_ERROR(GoForth(request, *source, place.path, progress));
  progress.SetRecords(manifest.records());
  SB_RETURN_IF_ERROR(Failpoint("restore.built"));
  const bool has_legacy = request.from || manifest.half(Role::kLegacy) != nullptr;
  SB_RETURN_IF_ERROR(service_.DescribeGeneration(place.name, StorePath(place.path, Role::kLegacy),
                                                 StorePath(place.path, Role::kUnified),
                                                 has_legacy));
  SB_RETURN_IF_ERROR(SyncDirectory(place.path));
  SB_RETURN_IF_ERROR(SyncDirectory(ParentDirectory(place.path)));
  unused.Keep();
  const bool is_ours = manifest.log_id == service_.GetStatus().log_id;
  return Built{place.name, is_ours ? source->until : LogMoment{}};
}

Status Restore::BuildStores(const RestoreRequest& request, const BackupManifest& manifest,
                            const std::string& path, BackupProgress& progress) {
  progress.SetStage("unpack");
  SB_RETURN_IF_ERROR(MakeDirectories(path + "/legacy"));
  // The checksum says that every byte is what it was when the backup was verified; then there is
  // no need to read each record once more.
  const auto entry = directory_.Load(manifest.id);
  const bool is_verified = entry && entry->is_verified();
  const StoreFileCheck check = is_verified ? StoreFileCheck::kState : StoreFileCheck::kQuick;
  progress.SetTotal(manifest.bytes() * (is_verified ? 1 : 2));
  std::vector<std::function<Status()>> halves;
  for (const BackupHalf& half : manifest.halves) {
    if (request.from && half.role != *request.from) continue;
    halves.emplace_back([&, role = half.role, wanted = &half]() -> Status {
      auto unpacked = UnpackHalf(manifest, *wanted, StoreFilePath(path, role), check,
                                 request.from.has_value(), progress);
      return unpacked ? unpacked : Fail(WithContext(unpacked.error(), RoleName(role)));
    });
  }
  SB_RETURN_IF_ERROR(RunTogether(service_, clock_, Urgency::kAwaited, halves));
  if (!request.from) return {};
  const Role made = Other(*request.from);
  progress.SetStage("copy");
  return CopyStore(EngineOf(*request.from), StorePath(path, *request.from), EngineOf(made),
                   StorePath(path, made), progress.Step());
}

Status Restore::GoForth(const RestoreRequest& request, const Source& source,
                        const std::string& path, BackupProgress& progress) {
  std::vector<ReplayTarget> targets;
  for (const Role role : kRoles) {
    const bool is_there = request.from || source.manifest.half(role) != nullptr;
    if (is_there) targets.push_back({EngineOf(role), StorePath(path, role)});
  }
  if (source.legs.empty()) return AdoptStores(targets);
  progress.SetStage("replay");
  SB_RETURN_IF_ERROR(Failpoint("restore.replay"));
  for (const Leg& leg : source.legs)
    SB_RETURN_IF_ERROR(ReplayPieces(leg.pieces, leg.after, leg.until.sequence, targets,
                                    path + "/replay.tmp", progress.Step()));
  return {};
}

// What lies there afterwards is what was backed up, to the last record.
Status Restore::UnpackHalf(const BackupManifest& manifest, const BackupHalf& half,
                           const std::string& path, StoreFileCheck check, bool is_for_both,
                           BackupProgress& progress) const {
  SB_RETURN_IF_ERROR(Failpoint("restore.unpack"));
  auto file = directory_.OpenFile(manifest.id, half.FileName());
  if (!file) return Fail(file.error());
  const auto sums =
      UnpackFile(file->get(), half.is_compressed, half.raw_bytes, path, progress.Step());
  if (!sums) return Fail(sums.error());
  if (sums->raw != FileSum{half.raw_bytes, half.raw_sha256})
    return Fail(ErrorCode::kCorruption, half.FileName() + ": its checksum is not the manifest's");
  SB_RETURN_IF_ERROR(SyncDirectory(ParentDirectory(path)));
  const auto report = InspectStoreFile(half.engine, path, check, progress.Step());
  if (!report) return Fail(WithContext(report.error(), half.FileName()));
  const bool has_all_records =
      check == StoreFileCheck::kState || report->collections == half.collections;
  if (!has_all_records || report->state.applied_sequence != manifest.sequence ||
      report->state.log_id != manifest.log_id)
    return Fail(ErrorCode::kCorruption,
                half.FileName() + ": its records are not those of the manifest");
  if (is_for_both && report->state.is_partial())
    return Fail(
        ErrorCode::kRefused,
        half.FileName() + " holds some of the collections only: restore from the other half");
  return {};
}

Status Restore::CheckAfterwards(const std::string& generation) const {
  SB_RETURN_IF_ERROR(Failpoint("restore.check"));
  const ServiceStatus status = service_.GetStatus();
  if (status.generation != generation)
    return Fail(ErrorCode::kInternal, "the service is not on the generation it went over to");
  // Not in sync for a moment is possible, out of service is not.
  for (const Role role : kRoles) {
    const FollowerStatus& store = status.followers[Index(role)];
    if (store.state == FollowerState::kFailed)
      return Fail(
          ErrorCode::kUnavailable,
          fmt::format("{} was restored and has failed since: {}. `switchback restore --undo` "
                      "goes back",
                      RoleName(role), store.reason));
  }
  return {};
}

}  // namespace switchback
