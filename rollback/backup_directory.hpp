// The directory of backups: one directory a backup, each with a fixed set of files. What is in it
// is hostile input: names are checked, symbolic links refused, sizes limited.
//
//   <id>/MANIFEST.json, STATE.json, legacy.mdb[.zst], unified.sqlite[.zst]
//   <name>.tmp/   not finished, or being deleted: counts for nothing, and is removed at the next
//   start
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/file.hpp"
#include "common/result.hpp"
#include "rollback/backup_manifest.hpp"

namespace switchback {

struct BackupEntry {
  std::string id;
  std::optional<BackupManifest> manifest;  // nullopt: damaged
  BackupState state;                       // one that cannot be read counts as pinned
  bool is_state_known = false;             // it was read
  std::string damage;                      // what is wrong with manifest or state; "" = nothing

  [[nodiscard]] bool is_verified() const {
    return manifest && state.verified_at != 0 && state.problem.empty() && damage.empty();
  }
};

// Thread-safe as far as one backup is not changed by two threads. Errors of every call besides
// those named: kIo, kNoSpace; kInvalidArgument for an id that is none.
class BackupDirectory {
 public:
  // Makes it (mode 0700) unless `must_exist`: kNotFound then.
  static Result<BackupDirectory> Open(const std::string& path, bool must_exist = false);

  // The newest first; of the same second the one that stands at the later batch.
  [[nodiscard]] Result<std::vector<BackupEntry>> List() const;
  // kNotFound. Damage is no error.
  [[nodiscard]] Result<BackupEntry> Load(const std::string& id) const;
  // Names of the files of a backup, sorted.
  [[nodiscard]] Result<std::vector<std::string>> FileNames(const std::string& id) const;
  // For reading. kRefused: a symbolic link, or not a plain file. kNotFound.
  [[nodiscard]] Result<UniqueFd> OpenFile(const std::string& id, const std::string& name) const;

  // An empty directory to write a backup into, and its path.
  Result<std::string> Begin(const std::string& id) const;
  // Makes what Begin gave a backup, durably: its files must have been synced. kConflict: there is
  // one of that id.
  Status Publish(const std::string& id) const;
  // Takes over a whole backup of another directory on the same file system, durably: its files must
  // have been synced. kConflict: there is one of that id.
  Status Adopt(const std::string& id, const BackupDirectory& from) const;
  // What Begin gave is not wanted any more.
  Status Abandon(const std::string& id) const;
  Status Remove(const std::string& id) const;
  Status SetState(const std::string& id, const BackupState& state) const;
  // What a crash left behind.
  Status RemoveLeftovers() const;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string PathOf(const std::string& id) const { return path_ + "/" + id; }
  [[nodiscard]] Result<std::uint64_t> FreeBytes() const;

 private:
  explicit BackupDirectory(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] std::string TemporaryPathOf(const std::string& id) const {
    return PathOf(id) + ".tmp";
  }
  [[nodiscard]] Result<std::string> ReadSmallFile(const std::string& id,
                                                  const std::string& name) const;

  std::string path_;
};

}  // namespace switchback
