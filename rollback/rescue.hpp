// Does one of the proposals. What is there is read and never written to: a new generation is made
// beside it (in repair.tmp), checked, given its name, and one rename of CURRENT goes over to it.
// The old one stays as the copy of before. After a crash at any moment before that rename
// everything is as it was, and the repair can be repeated.
#pragma once

#include <cstdint>
#include <string>

#include "common/result.hpp"
#include "rollback/backup_progress.hpp"
#include "rollback/rescue_examination.hpp"
#include "rollback/rescue_proposals.hpp"
#include "rollback/salvage.hpp"
#include "service/data_directory.hpp"

namespace switchback {

struct RescueOutcome {
  std::string generation;  // in use now
  std::string kept_path;   // the generation of before; "" = there was none
  std::uint64_t epoch = 0;
  std::uint64_t first_sequence = 0;  // of the next batch
  std::uint64_t replayed_batch_count = 0;
  std::uint64_t record_count = 0;  // in the stores now, of the one that has more
  SalvageReport salvage;           // of a reconstruction
};

// All outlive it. One thread.
class Rescue {
 public:
  // `directory` holds the lock since before the examination.
  Rescue(const RescueExamination& found, DataDirectory& directory, std::string backup_dir,
         BackupProgress& progress)
      : found_(found),
        directory_(directory),
        backup_dir_(std::move(backup_dir)),
        progress_(progress) {}

  // Errors, after which CURRENT is as it was: kNoSpace, kCorruption (what was made is not what it
  // should be), kIo, kConflict, kForeignWrite.
  Result<RescueOutcome> Run(const RescueProposal& proposal);

 private:
  struct Place {
    std::string path;
    [[nodiscard]] std::string StorePath(Role role) const;
    [[nodiscard]] std::string FilePath(Role role) const;
  };
  Status Build(const RescueProposal& proposal, const Place& place);
  Status BeginLog(const RescueProposal& proposal, const Place& place);
  Status BringStores(const RescueProposal& proposal, const Place& place);
  Status CopyFrom(Role role, const Place& place);
  Status Replay(Role role, const Place& place, std::uint64_t last, bool is_past_gaps);
  Status Reconstruct(const Place& place);
  Status ReconstructLegacy(const Place& place);
  Status CopyToOther(Role from, const Place& place);
  Status Check(const Place& place);
  Status GoOver(const Place& place);
  Status Describe(const Place& place, const std::string& path) const;
  [[nodiscard]] bool Has(const Place& place, Role role) const;
  [[nodiscard]] std::string LogPath() const {
    return directory_.PathOf(found_.generation) + "/log";
  }

  const RescueExamination& found_;
  DataDirectory& directory_;
  const std::string backup_dir_;
  BackupProgress& progress_;
  StoreState state_;  // of the stores that are made
  RescueOutcome outcome_;
};

}  // namespace switchback
