// One open LMDB environment, as the backend (writer) and its read views share it: the handle, the
// gate that parks readers, the collections, the size of the map.
//
// Readers use env(), collections() and Publication only between gate().Enter and Leave. Everything
// else is for the writer's thread.
#pragma once

#include <lmdb.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "backends/lmdb_collections.hpp"
#include "backends/lmdb_handles.hpp"
#include "backends/reader_gate.hpp"
#include "common/result.hpp"

namespace switchback {

struct LmdbOptions {
  std::string path;      // an existing directory or MDB_NOSUBDIR file is recognised as what it is
  bool create = true;    // else kNotFound when there is none
  bool is_file = false;  // a new one is MDB_NOSUBDIR
  // The map is sparse: only address space, so that it hardly ever grows. A smaller one that the
  // file remembers is raised to this, a larger one kept.
  std::uint64_t map_bytes_min = 64ull << 30;
};

class LmdbEnvironment {
 public:
  // Not open yet. `catalog` outlives this object.
  LmdbEnvironment(LmdbOptions options, CollectionCatalog& catalog);
  ~LmdbEnvironment();
  LmdbEnvironment(const LmdbEnvironment&) = delete;
  LmdbEnvironment& operator=(const LmdbEnvironment&) = delete;

  // Open and Close need a closed gate, or no reader yet. Errors of Open: kNotFound, kConflict (this
  // process has it open already: LMDB forbids that), kCorruption, kRefused, kTooLarge, kIo.
  Status Open();
  void Close() noexcept;
  // Closed before and after. kConflict: this process has that one open.
  Status SetPath(const std::string& path) SB_EXCLUDES(path_mutex_);
  [[nodiscard]] std::string path() const SB_EXCLUDES(path_mutex_);
  // Replaces the data file by an empty environment, in one rename. Closed before and after.
  Status ReplaceByEmpty();

  [[nodiscard]] MDB_env* env() const noexcept { return env_.get(); }  // null while closed
  ReaderGate& gate() noexcept { return gate_; }
  LmdbCollections& collections() noexcept { return collections_; }

  // Brackets a commit that makes databases. LMDB shows such a commit to readers a moment before it
  // shows them the handles, and a snapshot from in between would miss records that it should hold.
  // So the number is odd while such a commit runs, and a reader that saw it odd or changed renews.
  [[nodiscard]] std::uint64_t Publication() const noexcept {
    return publication_.load(std::memory_order_seq_cst);
  }
  void BeginPublication() noexcept;
  void EndPublication() noexcept;

  // The id of the newest committed transaction, whoever made it.
  [[nodiscard]] std::uint64_t LastCommitId() const;
  [[nodiscard]] std::uint64_t map_bytes() const;
  [[nodiscard]] std::uint64_t used_bytes() const;  // up to the last page ever used
  [[nodiscard]] std::uint64_t map_growths() const noexcept {
    return map_growths_.load(std::memory_order_relaxed);
  }
  // Bytes of the data file on disk, 0 when it cannot be seen. Any thread.
  [[nodiscard]] std::uint64_t FileBytes() const;

  // Whether the file system has less than `bytes` left for us. False when that cannot be told.
  [[nodiscard]] bool IsDiskShortOf(std::uint64_t bytes) const;

  // Grows the map so that `bytes_more` fit behind the last used page, and at least to twice its
  // size. Parks readers for up to `wait_max`. Errors: kBusy (they did not leave), kNoSpace (no
  // address space; the map is as before).
  Status GrowMap(std::uint64_t bytes_more, std::chrono::milliseconds wait_max);
  // Takes over the size of a map that another process has grown.
  Status TakeOverMapSize(std::chrono::milliseconds wait_max);

 private:
  Status PrepareNew();
  Status ScanCollections();
  Status SetMapBytes(std::uint64_t bytes);
  [[nodiscard]] std::string DataPath() const;
  [[nodiscard]] std::string LockPath() const;

  LmdbOptions options_;  // but for the path, which is in path_
  mutable Mutex path_mutex_;
  std::string path_ SB_GUARDED_BY(path_mutex_);  // FileBytes() asks while it changes
  std::atomic<bool> is_file_{false};  // FileBytes() asks while the environment is reopened
  bool is_claimed_ = false;
  MdbEnvHandle env_;
  ReaderGate gate_;
  LmdbCollections collections_;
  std::atomic<std::uint64_t> publication_{0};
  std::atomic<std::uint64_t> map_growths_{0};
};

}  // namespace switchback
