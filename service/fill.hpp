// The seam between a follower and whoever fills its store (migration/backfill): the follower owns
// the thread and the transactions, the source says what the next transaction is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.hpp"
#include "common/result.hpp"
#include "service/role.hpp"

namespace switchback {

enum class FillMode : std::uint8_t {
  kFromScratch,  // the target is emptied first
  kResume,       // go on from the StoreState that the target holds
};

// One transaction for the target. The effects' views point into memory that the source keeps until
// the next call.
struct FillStep {
  std::vector<Effect> effects;
  StoreState state;  // as of after the effects; is_filling false = the range is everything, the
                     // follower catches up from here
};

class FillSource {
 public:
  virtual ~FillSource() = default;
  // Called on the target's follower thread with the target's committed state, only while the source
  // is in sync. kNotFound (the log no longer holds what the target lacks) and kCancelled end the
  // fill and leave the target detached; after any other error the follower asks again from the
  // committed state, after kBusy soon, else after growing pauses.
  virtual Result<FillStep> Next(const StoreState& committed) = 0;
  // The step handed out last is committed in the target.
  virtual void Committed() = 0;
};

// One batch of the log.
struct LogBatch {
  std::uint64_t sequence = 0;
  std::vector<Effect> effects;  // views into the reader's buffer, valid until its next call
};

// Reads batches in order. One thread at a time. Holds no lock on the log: whoever needs old batches
// kept must be a follower that has not applied them.
class LogBatchReader {
 public:
  virtual ~LogBatchReader() = default;
  // The next batch with sequence <= `last`, or nullopt when there is none (yet).
  // Errors: kNotFound (trimmed already), kCorruption, kIo.
  virtual Result<std::optional<LogBatch>> Next(std::uint64_t last) = 0;
};

// What a FillSource may use of the service. Thread-safe.
class FillAccess {
 public:
  virtual ~FillAccess() = default;
  // A view of that role's store alone, without the memtable: its State() says which sequence it
  // shows.
  virtual Result<std::unique_ptr<ReadView>> NewStoreView(Role role) = 0;
  // Batches with sequence > `after`.
  virtual Result<std::unique_ptr<LogBatchReader>> ReadLog(std::uint64_t after) = 0;
  [[nodiscard]] virtual CollectionCatalog& catalog() = 0;
};

}  // namespace switchback
