// Writes effects into one LMDB write transaction, with a cursor that stays where it is between
// neighbouring keys and appends where keys only grow.
#pragma once

#include <lmdb.h>

#include <cstddef>
#include <span>

#include "backends/backend.hpp"
#include "backends/lmdb_collections.hpp"
#include "backends/lmdb_handles.hpp"

namespace switchback {

// Outlived by its transaction: destroy it before commit or abort. One thread.
class LmdbEffectWriter {
 public:
  LmdbEffectWriter(MDB_txn* txn, LmdbCollections& collections)
      : txn_(txn), collections_(collections) {}

  // All of them in order. After an error the transaction must be aborted. Errors: kInvalidArgument,
  // kRefused, kNoSpace, kTooLarge, kIo, kCorruption; is_map_full() tells a full map from a full
  // disk.
  Status WriteAll(std::span<const Effect> effects);
  [[nodiscard]] bool is_map_full() const { return is_map_full_; }

 private:
  Status MoveTo(const Collection& collection, bool is_creating);
  Status Put(const Effect& effect, std::span<const Effect> following);
  Status Delete(const Effect& effect);
  Status Clear(const Effect& effect);
  Status ClearMain();
  Status OpenCursor();
  bool IsRunAppending(const Effect& first, std::span<const Effect> following);
  Status Check(int error, const char* doing);

  MDB_txn* const txn_;
  LmdbCollections& collections_;
  const Collection* collection_ = nullptr;
  MDB_dbi dbi_ = LmdbCollections::kNone;
  MdbCursorHandle cursor_;
  bool is_appending_ = false;
  bool is_map_full_ = false;
};

}  // namespace switchback
