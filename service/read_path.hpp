// One thread's reads: route, look into the memtable, then into a snapshot of that role's store
// (I4), and fail over (I6).
//
// Why it is never stale. A snapshot of a covered store lacks only batches that are in the memtable,
// as long as nothing has left the memtable since it was opened: that is what its tag
// (Memtable::SnapshotTag) says. With an empty memtable and the right tag a read is one atomic load
// and the store's own get. The emptiness and the tag come from one load, so nothing can be evicted
// in between.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.hpp"
#include "service/memtable.hpp"
#include "service/metrics.hpp"
#include "service/record_reader.hpp"
#include "service/router.hpp"
#include "service/shadow_reader.hpp"
#include "service/switch_gate.hpp"
#include "service/transaction.hpp"

namespace switchback {

// What every ReadPath of a service shares. All outlive it.
struct ReadContext {
  Memtable& memtable;
  const FlagStore& flags;
  const std::atomic<std::uint64_t>& refused_load;
  std::array<Backend*, kRoleCount> backends;
  MetricsRegistry& metrics;
  SwitchGate& gate;
  ShadowReader* shadow = nullptr;  // none: these reads are not repeated
};

// One thread at a time. Holds snapshots from the first read until EndTurn.
class ReadPath final : public RecordReader {
 public:
  explicit ReadPath(const ReadContext& context);

  Result<std::optional<std::string_view>> Get(const Collection& collection,
                                              std::string_view key) override;
  Result<std::vector<std::optional<std::string>>> MultiGet(
      const Collection& collection, std::span<const std::string_view> keys) override;
  Status Scan(const Collection& collection, std::string_view from, const Visitor& visit) override;
  Result<std::uint64_t> Count(const Collection& collection) override;
  Result<std::vector<std::string>> CollectionNames();

  // What the store of `role` alone holds, for Transaction::GetStored. On the pipeline's thread:
  // what it says is true until the pipeline publishes its next batch.
  Result<StoredValue> GetStored(Role role, const Collection& collection, std::string_view key);

  void EndTurn() noexcept;

 private:
  static constexpr std::uint64_t kNoTag = UINT64_MAX;
  static constexpr int kOptimisticOpens = 3;
  class ReadMark;

  void Record(const Collection& collection, Role role, Operation operation, SteadyTime start) {
    metrics_->Of(&collection, role, operation)
        .latency.Record(std::chrono::steady_clock::now() - start);
  }
  // `last_error`: what the other role has said already.
  Result<std::optional<std::string_view>> GetSlow(const Collection& collection,
                                                  std::string_view key, Role desired,
                                                  std::optional<Error> last_error);
  // On an error of a store `failed` names it; such an error is counted already.
  Result<std::vector<std::optional<std::string>>> TryMultiGet(
      const Collection& collection, std::span<const std::string_view> keys,
      std::optional<Role> avoided, std::optional<Role>& failed);
  Status TryScan(const Collection& collection, std::string_view from, const Visitor& visit,
                 Role role, bool& may_retry);
  Result<std::uint64_t> TryCount(const Collection& collection, Role role);
  Result<std::vector<std::string>> TryCollectionNames(Role role);
  // Runs `attempt` on the role routed for `key` of `collection` (null: of all), and on the other
  // one when it fails and has not taken back `may_retry`.
  template <class T, class Attempt>
  Result<T> WithFailover(Operation operation, const Collection* collection, std::string_view key,
                         const Attempt& attempt);

  // The role to be asked for the key: the flag's, if its store holds the collection at all.
  [[nodiscard]] Role Route(const Collection& collection, std::string_view key) {
    const Role role = router_.Route(&collection, key);
    return collection.IsHeldBy(Index(role)) ? role : Other(role);
  }
  // `attempt` again when it found no store because of a switch to other stores, once that is over.
  template <class Attempt>
  auto PastSwitches(const Attempt& attempt);
  // The role that may answer for the collection (null: for all), instead of or as `desired`.
  Result<Role> Serving(Role desired, const Collection* collection)
      SB_EXCLUDES(context_.memtable.mutex());
  Result<Role> ServingLocked(Role desired, const Collection* collection) const
      SB_REQUIRES_SHARED(context_.memtable.mutex());
  [[nodiscard]] bool MayServe(Role role, const Collection* collection) const
      SB_REQUIRES_SHARED(context_.memtable.mutex());
  // Opens a snapshot of `role` for the memtable as of `tag`. Without the memtable's lock: opening
  // may wait for the store.
  Status OpenView(Role role, std::uint64_t tag);
  [[nodiscard]] bool IsFresh(Role role) const {
    return tags_[Index(role)] == Memtable::SnapshotTag(context_.memtable.version());
  }
  // Makes the snapshot fresh; the memtable may move on right after: check again under its lock.
  // Error: kUnavailable when the store is not covered (any more).
  Status Refresh(Role role) SB_EXCLUDES(context_.memtable.mutex());
  // Whether the snapshot is fresh at this moment; kUnavailable when the store may not serve the
  // collection (null: all). From attempt kOptimisticOpens on it is opened
  // here, with the lock held, so that no writer can make it stale again.
  Result<bool> EnsureFresh(Role role, const Collection* collection, int attempt)
      SB_REQUIRES_SHARED(context_.memtable.mutex());
  // `collection` null: of all; `key` may be "".
  void CountError(Role role, Operation operation, const Collection* collection,
                  std::string_view key, const Error& error);

  const ReadContext context_;
  Router router_;
  const std::shared_ptr<MetricsBlock> metrics_;
  std::array<std::unique_ptr<ReadView>, kRoleCount> views_;
  std::array<std::uint64_t, kRoleCount> tags_{kNoTag, kNoTag};
  std::string value_;
};

}  // namespace switchback
