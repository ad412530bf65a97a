// The logged effects that not every covered store has applied yet, in memory, ordered by key.
// Segments, oldest first; the newest is open and takes batches.
//
// Invariants:
// (1) A batch is in here only when it is durable in the log (I3), and becomes visible to readers in
// one step (I2). (2) Covered stores: for each, every batch it has not applied is in here. Only a
// covered store may answer reads (I4). (3) A segment leaves when every covered store has applied
// it. (4) version() changes its upper 63 bits whenever something leaves or coverage changes; its
// lowest bit says "not empty". A snapshot
//     of a covered store, opened under the shared lock, is fresh enough as long as the upper bits
//     stay the same.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"
#include "common/sync.hpp"
#include "service/record_reader.hpp"
#include "service/role.hpp"
#include "service/segment.hpp"

namespace switchback {

struct MemtableOptions {
  std::size_t bytes_max = 0;
  std::size_t record_count_max = 0;
  std::size_t segment_bytes_max = 0;
  std::size_t segment_record_count_max = 0;
  const Clock* clock = &SystemClock();
};

// How much is gathered for one transaction of a follower: the more, the less a record costs. It
// ends when the oldest effect is `age_min` old, when nothing has come for `quiet_min`, or at a
// limit.
struct Gathering {
  std::chrono::milliseconds age_min{0};
  std::chrono::milliseconds quiet_min{0};
  std::size_t bytes_max = 0;
  std::size_t record_count_max = 0;
};

// Thread-safe. Publish from one thread.
class Memtable {
 public:
  Memtable(MemtableOptions options, std::uint64_t last_sequence);

  // --- Readers ---
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_seq_cst); }
  static bool IsEmpty(std::uint64_t version) { return (version & 1) == 0; }
  static std::uint64_t SnapshotTag(std::uint64_t version) { return version >> 1; }

  // Hold it shared while looking up and while opening a snapshot; never while waiting for anything
  // else.
  SharedMutex& mutex() SB_THREAD_ATTRIBUTE(lock_returned(mutex_)) { return mutex_; }
  [[nodiscard]] bool IsCovered(Role role) const SB_REQUIRES_SHARED(mutex_) {
    return coverage_[Index(role)].is_covered;
  }
  // Whether it is covered and holds all collections.
  [[nodiscard]] bool IsCoveredWhole(Role role) const SB_REQUIRES_SHARED(mutex_) {
    return coverage_[Index(role)].is_covered && coverage_[Index(role)].is_whole;
  }

  enum class Found : std::uint8_t { kNothing, kPut, kAbsent };
  // `value` points into the memtable: copy it before the lock is given back.
  [[nodiscard]] Found Find(const Collection& collection, std::string_view key,
                           std::string_view& value) const SB_REQUIRES_SHARED(mutex_);

  // Walks the net effects on one collection in key order. Only while the lock is held.
  class Cursor {
   public:
    [[nodiscard]] bool is_valid() const { return is_valid_; }
    [[nodiscard]] std::string_view key() const { return key_; }
    [[nodiscard]] const Segment::Entry& entry() const { return *entry_; }
    void Next();
    // True when the store's records of the collection count for nothing.
    [[nodiscard]] bool is_store_hidden() const { return is_store_hidden_; }

   private:
    friend class Memtable;
    struct Position {  // newest segment first
      Segment::Table::const_iterator at, end;
    };
    void Settle();
    std::vector<Position> positions_;
    bool is_store_hidden_ = false;
    bool is_valid_ = false;
    std::string_view key_;
    const Segment::Entry* entry_ = nullptr;
  };
  [[nodiscard]] Cursor Seek(const Collection& collection, std::string_view from) const
      SB_REQUIRES_SHARED(mutex_);

  // Collections that a put in here brings into being, or shows to exist. May repeat.
  [[nodiscard]] std::vector<const Collection*> TouchedCollections() const
      SB_REQUIRES_SHARED(mutex_);

  // --- The pipeline ---
  void Publish(const Batch& batch) SB_EXCLUDES(mutex_);
  // The same for a whole segment, which is closed by that: recovery.
  void Load(std::shared_ptr<Segment> segment) SB_EXCLUDES(mutex_);
  [[nodiscard]] bool IsFull() const;
  // Waits until there is room or `deadline`; true when there is room.
  bool WaitForRoom(SteadyTime deadline) SB_EXCLUDES(wait_mutex_);

  // --- Followers ---
  // Covers the store when the memtable holds everything past `applied_sequence`; false, and nothing
  // changed, when it does not. `is_whole`: it holds all collections.
  bool Cover(Role role, std::uint64_t applied_sequence, bool is_whole = true) SB_EXCLUDES(mutex_);
  void Uncover(Role role) SB_EXCLUDES(mutex_);
  // The same, unless no other covered store is whole; false then. In one step, so that two stores
  // that fail at once cannot both leave.
  bool UncoverUnlessLast(Role role) SB_EXCLUDES(mutex_);
  // Lets go of everything: what it holds is of no store any more. The next batch is
  // last_sequence() + 1 as before. Only while no store is covered.
  void Clear() SB_EXCLUDES(mutex_);
  // Closes the open segment, so that a store can stop exactly there; gives its last sequence.
  std::uint64_t Seal() SB_EXCLUDES(mutex_);
  // Whether half of the budget is used.
  [[nodiscard]] bool IsHalfFull() const;
  // False when the store is not covered any more.
  bool Applied(Role role, std::uint64_t applied_sequence) SB_EXCLUDES(mutex_);
  // The segments with anything past `applied_sequence`, oldest first, as many as the limits allow
  // and at least one; empty while more may gather. The open segment is sealed when it is among
  // them.
  std::vector<std::shared_ptr<const Segment>> NextFor(std::uint64_t applied_sequence,
                                                      const Gathering& gathering)
      SB_EXCLUDES(mutex_);
  // Counts calls of Wake(). Take it before looking at what Wake() announces and hand it to a wait,
  // which then misses none.
  [[nodiscard]] std::uint64_t WakeCount() SB_EXCLUDES(wait_mutex_);
  // Waits until a batch past `applied_sequence` is here, Wake() is called, or `deadline`.
  void WaitForWork(std::uint64_t applied_sequence, std::uint64_t wakes_seen, SteadyTime deadline)
      SB_EXCLUDES(wait_mutex_);
  // Waits until `deadline` unless the open segment fills up or Wake() is called.
  void WaitForMore(std::uint64_t wakes_seen, SteadyTime deadline) SB_EXCLUDES(wait_mutex_);
  void Wake() SB_EXCLUDES(wait_mutex_);

  struct Size {
    std::size_t bytes = 0, records = 0, segments = 0;
  };
  [[nodiscard]] Size GetSize() const SB_EXCLUDES(mutex_);
  [[nodiscard]] std::uint64_t last_sequence() const {
    return last_sequence_.load(std::memory_order_acquire);
  }
  // When the oldest batch past `applied_sequence` came in; nullopt when there is none.
  [[nodiscard]] std::optional<SteadyTime> OldestAfter(std::uint64_t applied_sequence) const
      SB_EXCLUDES(mutex_);

 private:
  struct Coverage {
    bool is_covered = false;
    std::uint64_t applied_sequence = 0;
    bool is_whole = true;
  };
  using SegmentPtr = std::shared_ptr<Segment>;
  // Moves what every covered store has applied to `gone`, for destruction outside of the lock, and
  // sets version_.
  void Evict(std::vector<SegmentPtr>& gone, bool has_coverage_changed) SB_REQUIRES(mutex_);
  void NotifyWork() SB_EXCLUDES(wait_mutex_);
  void NotifyRoom() SB_EXCLUDES(wait_mutex_);

  const MemtableOptions options_;
  mutable SharedMutex mutex_;
  std::deque<SegmentPtr> segments_ SB_GUARDED_BY(mutex_);
  bool is_newest_open_ SB_GUARDED_BY(mutex_) = false;
  SteadyTime last_published_at_ SB_GUARDED_BY(mutex_);
  std::array<Coverage, kRoleCount> coverage_ SB_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> version_{0};
  std::atomic<std::uint64_t> last_sequence_;
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::size_t> records_{0};

  // Waiting is apart from mutex_, so that readers never meet a condition variable.
  Mutex wait_mutex_;
  CondVar work_;
  CondVar room_;
  std::uint64_t wake_count_ SB_GUARDED_BY(wait_mutex_) = 0;
  std::atomic<int> work_waiters_{0};
  std::atomic<int> more_waiters_{0};
};

}  // namespace switchback
