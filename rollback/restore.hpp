// Goes back to a backup, or to the generation before, while the service runs.
//
// (1) The stores of a backup are unpacked into a new generation beside the one in use and checked
// there: sizes, SHA-256, the engines, digests of every collection. Nothing that is in use is
// touched. (2) A safety backup of what is there now comes first. (3) DbService::SwitchGeneration
// goes over, and the rename of CURRENT in it is the one commit point: before it everything can be
// cancelled, after it nothing. (4) The generation before stays, and is the undo.
#pragma once

#include <functional>
#include <string>

#include "backends/store_file.hpp"
#include "common/result.hpp"
#include "rollback/backup_directory.hpp"
#include "rollback/backup_progress.hpp"
#include "rollback/backup_writer.hpp"
#include "rollback/epochs.hpp"
#include "rollback/log_archive.hpp"
#include "rollback/log_replay.hpp"
#include "rollback/restore_plan.hpp"
#include "service/db_service.hpp"

namespace switchback {

struct RestoreOptions {
  std::chrono::milliseconds switch_wait_max{10'000};
  // Newest version of the schema that this program has files for; empty: any is taken.
  std::function<std::uint64_t()> schema_version_max;
  LogArchive* archive = nullptr;  // null: only what is still in the log
};

// One thread. All outlive it.
class Restore {
 public:
  Restore(DbService& service, const BackupDirectory& directory, const Clock& clock,
          RestoreOptions options)
      : service_(service), directory_(directory), clock_(clock), options_(std::move(options)) {}

  // Errors, all of which mean that it would not be done: kNotFound (no such backup, nothing to go
  // back to), kCorruption (the manifest, or a half that is wanted and not there), kRefused (another
  // data directory's, a newer schema, a migration is under way), kNoSpace.
  Result<RestorePlan> Plan(const RestoreRequest& request) const;

  // Does it. `safety` says how the backup of now is made; `take_safety` is told its id, if one was
  // made. After any error everything is as before.
  // Errors: those of Plan, of WriteBackup, kCorruption (a file is not what the manifest says),
  // kBusy (the stores did not stand still in time: try again), kCancelled.
  using TakeBackup = std::function<void(const std::string& id)>;
  Status Run(const RestoreRequest& request, const BackupRequest& safety,
             const TakeBackup& take_safety, BackupProgress& progress);

 private:
  // What the log of one epoch holds past `after` up to `until`.
  struct Leg {
    std::uint64_t after = 0;
    LogMoment until;
    std::vector<LogPiece> pieces;
  };
  // A backup, and what of the log comes after it.
  struct Source {
    BackupManifest manifest;
    LogMoment until;
    LogArchive::Hold hold;  // on the pieces
    std::vector<Leg> legs;  // each goes on where the one before it ends
  };
  struct Built {
    std::string generation;
    LogMoment from;  // what is in it
  };
  Result<Source> FindSource(const RestoreRequest& request) const;
  Result<BackupManifest> LoadManifest(const std::string& id) const;
  // The newest verified one at or before `moment` in its epoch; nullopt: there is none.
  Result<std::optional<BackupManifest>> NearestBefore(const LogMoment& moment) const;
  // Finds the backup that leads to `moment` (`request.id`, or the nearest one), through the epochs
  // that came before when its own has none.
  Status FindWay(const RestoreRequest& request, LogMoment moment,
                 const std::vector<LogPiece>& pieces, Source& source) const;
  [[nodiscard]] EpochRecord Epochs() const;
  void NoteEpoch(const LogMoment& from, bool has_begun) const;
  Result<LogMoment> EndOf(const std::string& generation) const;
  [[nodiscard]] std::string DataDirectory() const;
  // Of the archive, and of the generations that are still there.
  Result<std::vector<LogPiece>> AllPieces() const;
  Result<RestorePlan> PlanUndo() const;
  Result<RestorePlan> PlanBackup(const RestoreRequest& request) const;
  Status CheckMayRestore(const RestoreRequest& request, const BackupManifest& manifest) const;
  Status MakeSafetyBackup(const RestoreRequest& request, const BackupRequest& safety,
                          const TakeBackup& take_safety, BackupProgress& progress);
  Result<Built> BuildGeneration(const RestoreRequest& request, BackupProgress& progress);
  Status BuildStores(const RestoreRequest& request, const BackupManifest& manifest,
                     const std::string& path, BackupProgress& progress);
  static Status GoForth(const RestoreRequest& request, const Source& source,
                        const std::string& path, BackupProgress& progress);
  // `is_for_both`: the other half is made from it.
  Status UnpackHalf(const BackupManifest& manifest, const BackupHalf& half, const std::string& path,
                    StoreFileCheck check, bool is_for_both, BackupProgress& progress) const;
  Status CheckAfterwards(const std::string& generation) const;

  DbService& service_;
  const BackupDirectory& directory_;
  const Clock& clock_;
  const RestoreOptions options_;
};

}  // namespace switchback
