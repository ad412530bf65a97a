// The first fill of one role's store from the other's, under live writes (I7: ends exactly equal,
// nothing deleted comes back).
//
// Invariant (1): the target's content is fold(effects 1..u) restricted to the records that its
// cursor covers (fill_cursor.hpp), where u and the cursor are in the same StoreState and
// transaction. A step keeps it: it takes a snapshot of the source, which is fold(effects 1..a),
// applies the log's effects (u, a] on what is covered already, adds the next records in order from
// that same snapshot, and moves u to a and the cursor to the last of them. Because every step
// starts from the committed state alone, a crash between any two steps loses nothing but time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "migration/backfill_progress.hpp"
#include "migration/byte_arena.hpp"
#include "migration/fill_cursor.hpp"
#include "migration/invalid_records.hpp"
#include "migration/throttle.hpp"
#include "service/fill.hpp"

namespace switchback {

struct BackfillOptions {
  Role source = Role::kLegacy;
  // What a fill that begins is to hold, sorted; empty = all. One that goes on keeps to its state.
  std::vector<std::string> collections;

  // One step carries at most this much of the source, but always one record.
  std::size_t chunk_record_count_max = 16384;
  std::size_t chunk_bytes_max = 8u << 20;
  // Past these the effects of the log get steps of their own, one batch of overrun apart.
  std::size_t log_effect_count_max = 32768;
  std::size_t log_bytes_max = 8u << 20;
  // Effects of the log looked at in one step, passed on or not: bounds how long the snapshot is
  // held.
  std::size_t log_scan_effect_count_max = 262144;

  // Says how fast to go and when to stand still; null = as fast as it can.
  std::shared_ptr<const Throttle> throttle;
  // Looks at each record; null = nobody does.
  std::shared_ptr<InvalidRecords> invalid;
};

// Runs on the target's follower thread. `access` outlives it. Each
// Next blocks for reading one bounded chunk, holding a snapshot of the source for no longer than
// that, and to keep its pace for kSleepMax at most.
class Backfill : public FillSource {
 public:
  static constexpr std::chrono::milliseconds kSleepMax{200};

  Backfill(FillAccess& access, BackfillOptions options, std::shared_ptr<BackfillProgress> progress);

  // Errors: kNotFound (the log no longer holds what the target has missed: only a fill from scratch
  // helps, and the progress says so), kRefused (the source follows another log), kBusy (the source
  // has yet to catch up with what the target has seen; paused; kept back by the throttle),
  // kCancelled; else those of the source's ReadView and of the log.
  Result<FillStep> Next(const StoreState& committed) override;
  void Committed() override;

 private:
  // Of the step that was handed out last.
  struct PendingStep {
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    std::string collection;
    bool is_last = false;
    SteadyTime begun_at;
  };

  Status KeepPace() const;
  Status OpenSnapshot();
  Result<FillStep> NextFromSnapshot(const StoreState& committed);
  static Status CheckSource(const StoreState& committed, const StoreState& source);
  // Adds the effects of batches after `after` that the cursor covers; returns the sequence that
  // was reached, `last` unless a limit came first.
  Result<std::uint64_t> AddLog(std::uint64_t after, std::uint64_t last, const FillCursor& cursor,
                               std::vector<Effect>& effects);
  Result<LogBatch> NextBatch(std::uint64_t reached, std::uint64_t last);
  std::size_t AddCovered(const LogBatch& batch, const FillCursor& cursor,
                         std::vector<Effect>& effects);
  // Adds records after the cursor and moves it; true when none is left.
  Result<bool> AddChunk(FillCursor& cursor, std::vector<Effect>& effects);
  // The same within one collection; true when none is left in it.
  Result<bool> AddRecords(const Collection& collection, FillCursor& cursor,
                          std::vector<Effect>& effects);
  [[nodiscard]] bool HasRoomFor(std::size_t record_bytes) const;
  Status UpdateTotals(const FillCursor& cursor, bool is_last);
  [[nodiscard]] bool IsWanted(const std::string& collection) const;
  // The collections of the snapshot that the target is to hold, in the cursor's order.
  Result<std::vector<const Collection*>> CollectionsToFill();
  Result<std::uint64_t> CountRecords();
  Result<std::uint64_t> CountCovered(const FillCursor& cursor);

  FillAccess& access_;
  const BackfillOptions options_;
  const std::shared_ptr<BackfillProgress> progress_;
  ByteArena arena_;
  std::unique_ptr<ReadView> view_;  // of the source; active only within Next
  // The reader and where it stands, kept between steps; absent after an error.
  std::unique_ptr<LogBatchReader> log_;
  std::uint64_t log_position_ = 0;
  PendingStep pending_;
  SteadyTime not_before_;            // of the next step
  std::size_t chunk_bytes_max_ = 0;  // of the step at hand
  std::uint64_t step_count_ = 0;
  std::vector<std::string> wanted_;  // of the step at hand; empty = all
};

}  // namespace switchback
