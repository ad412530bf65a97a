// The data directory: who owns it, which generation is in use, where its stores are.
//
// LOCK: held by the one process that may use the directory (I8); contains its pid.
// CURRENT: name of the generation in use; its rename is the only commit point of a restore.
// DETACHED: there after a detach: the directory is spent.
// gen-1/: legacy/, unified.sqlite and log/, unless stores.json says that the stores are elsewhere.
//
// Everything in it is named relative to it: a stopped directory can be moved.
#pragma once

#include <string>
#include <vector>

#include "common/file.hpp"
#include "common/result.hpp"

namespace switchback {

struct StorePaths {
  std::string legacy;
  std::string unified;
  // Legacy was let go: what is at `legacy` is new, and counts once it was filled.
  bool is_legacy_retired = false;
  std::vector<std::string> kept = {};  // where environments that were let go lie
  // Paths outside of the directory that it was started with once: another store took their place.
  std::vector<std::string> former = {};
  std::string previous = {};         // the generation that was in use before; "" = none
  bool is_previous_damaged = false;  // this one was made to repair it: nobody goes back to it
};

// Owns the lock while it lives. Not thread-safe.
class DataDirectory {
 public:
  // Makes the directory when it is missing. Errors: kConflict (names the pid of the owner),
  // kRefused (detached), kCorruption (CURRENT or the generation it names is lost), kIo.
  static Result<DataDirectory> Open(const std::string& path);

  // The lock alone, of a directory that exists: whatever CURRENT says, `generation` counts as the
  // one in use. For repairs. Errors: kConflict, kIo.
  static Result<DataDirectory> OpenForRepair(const std::string& path, std::string generation);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::string& generation() const { return generation_; }
  [[nodiscard]] std::string generation_path() const { return path_ + "/" + generation_; }
  [[nodiscard]] std::string log_path() const { return generation_path() + "/log"; }

  // Where the stores are: as remembered, else the `asked` paths, and places inside the generation
  // for empty ones. kRefused when it is asked for others than it remembers: a directory belongs to
  // its stores.
  Result<StorePaths> ResolveStores(const StorePaths& asked) const;
  // Call once the stores are open and ours. Later calls change nothing.
  Status RememberStores(const StorePaths& paths);
  // Where a new legacy store would be made: inside the generation, a name that nothing has.
  [[nodiscard]] std::string NewLegacyPath() const;
  // From the return on legacy is at `path`, and what was at the old place is kept there. Durable.
  Status RetireLegacy(const std::string& path);
  // --- Other generations ---
  // A name that no generation has.
  [[nodiscard]] std::string NewGeneration() const;
  [[nodiscard]] std::string PathOf(const std::string& generation) const {
    return path_ + "/" + generation;
  }
  [[nodiscard]] bool IsInside(const std::string& path) const;
  Result<StorePaths> StoresOf(const std::string& generation) const {
    return ReadStores(PathOf(generation));
  }
  // Nobody needs to have the lock. kNotFound: it remembers none. kCorruption.
  static Result<StorePaths> ReadStores(const std::string& generation_path);
  Status WriteStoresOf(const std::string& generation, const StorePaths& paths) const;
  // The one commit point of a restore: from the return on that generation is in use, whatever
  // happens. After an error it may be either.
  Status MakeCurrent(const std::string& generation);

  // The generations that are neither in use nor the previous one, nor hold a store of these. An
  // error when it cannot tell.
  Result<std::vector<std::string>> UnusedGenerations() const;

  // Says that the stores are on their own from now on.
  Status MarkDetached();

 private:
  std::string path_;
  std::string generation_;
  UniqueFd lock_;
};

}  // namespace switchback
