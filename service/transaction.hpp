// A write being resolved: reads see everything written before it, its own writes included; writes
// become effects of its batch.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "service/record_reader.hpp"
#include "service/role.hpp"

namespace switchback {

// Keys whose change makes a later transaction give up (WATCH). Belongs to one client; Add and Clear
// from its thread. A change that becomes visible after Add makes it dirty, for ever until Clear.
// May also report changes that became visible just before Add.
class WatchSet {
 public:
  virtual ~WatchSet() = default;
  virtual void Add(const Collection& collection, std::string_view key) = 0;
  virtual void Clear() = 0;
};

// What one store alone holds of a key.
struct StoredValue {
  bool is_settled = false;  // false: an effect on the key is on its way to the stores; what they
                            // hold now says nothing
  std::optional<std::string_view> value;  // valid until the next call on its reader
};

// Lives on the pipeline's thread during WriteOp::Run. Nothing in it may block.
class Transaction : public RecordReader {
 public:
  // Errors: kInvalidArgument (key size, reserved), kTooLarge (value or transaction size). On error
  // nothing is added. The bytes are copied.
  virtual Status Put(const Collection& collection, std::string_view key,
                     std::string_view value) = 0;
  // Adds an effect whether the key exists or not: Get first when it matters.
  virtual Status Delete(const Collection& collection, std::string_view key) = 0;
  // Deletes every record of the collection.
  virtual Status Clear(const Collection& collection) = 0;

  // Undo within the transaction: RollbackTo drops what was added since Savepoint.
  [[nodiscard]] virtual std::size_t Savepoint() const = 0;
  virtual void RollbackTo(std::size_t savepoint) = 0;

  // For repairs: reads that role's own store, whatever is routed. When it is settled, the store
  // has every effect on the key that comes before this write: to put or delete the same makes both
  // stores equal. Errors: kUnavailable (the store is not in sync), kIo, kCorruption.
  virtual Result<StoredValue> GetStored(Role role, const Collection& collection,
                                        std::string_view key) = 0;

  // True when a watched key has changed since it was added.
  [[nodiscard]] virtual bool IsDirty(const WatchSet& watches) const = 0;
};

// One atomic write: all of its effects in one batch, or none. Owned by whoever submits it and alive
// until Done.
class WriteOp {
 public:
  virtual ~WriteOp() = default;
  // Called once, on the pipeline's thread, in the one order of all writes (I2). An error drops
  // every effect it added and is handed to Done.
  virtual Status Run(Transaction& transaction) = 0;
  // Called once, on a thread of the service, after Run's effects are durable and visible, or with
  // the error that kept them from being so (kBusy, kNoSpace, kIo: nothing stored; kUnknownOutcome:
  // not visible now, may be found after a restart; kCancelled: shutting down). Must be short and
  // must not call back into the service.
  virtual void Done(const Status& outcome) = 0;
  // Bytes this write keeps in memory while it waits, for the queue's limit.
  [[nodiscard]] virtual std::size_t QueuedBytes() const = 0;
};

}  // namespace switchback
