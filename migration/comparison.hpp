// One pass over both stores under live writes, in windows: each opens both snapshots, compares as
// many records as its budget allows in the order of (collection, key), and gives them back.
//
// Invariants: (1) Within a window everything is compared at one position of the log
// (service/store_pair.hpp), so every record of the pass has been equal in both stores at some
// position, or is reported. (2) A difference is reported only when it stands at two positions: what
// a window finds is read again in the next one. (3) Everything up to the settled cursor is compared
// and, where it differed, reported: a pass can go on from there in another process.
//
// No threads, no waiting, no files: the verifier (verifier.hpp) brings those.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "migration/chunk_comparer.hpp"
#include "migration/difference.hpp"
#include "service/store_pair.hpp"

namespace switchback {

struct ComparisonOptions {
  std::vector<std::string> collections;  // empty = all
  // No window compares before this position: what was acknowledged up to it is seen.
  std::uint64_t sequence_min = 0;
  StorePairOptions pair;
  ChunkLimits chunk;
  // Keys of one window that are read again in the next: bounds memory. A window ends early at it.
  std::size_t candidate_count_max = 4096;
};

struct WindowBudget {
  std::chrono::milliseconds duration_max{300};  // how long the snapshots are held, about
  std::uint64_t bytes_max = UINT64_MAX;         // about; at least one chunk is compared
};

// How far a pass has come.
struct ComparisonProgress {
  std::string collection;  // every record <= (collection, key) is compared; "" = none
  std::string key;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};

struct RecordName {
  std::string collection;
  std::string key;
};

// What a window came to.
struct Window {
  std::uint64_t sequence = 0;           // the position at which it compared
  std::uint64_t bytes = 0;              // compared in it
  std::vector<Difference> differences;  // that stand: found in the window before, and still there
  bool is_last = false;                 // the pass is over, nothing waits to be read again
};

// One thread.
class Comparison {
 public:
  // Goes on from `from`. `access` and `clock` outlive it.
  Comparison(FillAccess& access, const Clock& clock, ComparisonOptions options,
             ComparisonProgress from = {});

  // The next window. After an error nothing has moved: call again. Errors: kBusy (the stores cannot
  // be seen at one position just now, or have not come to the first one that counts), kRefused
  // (they cannot be compared at all), else those of the stores and of the log.
  Result<Window> Next(const WindowBudget& budget);

  // Reads these records again, at one position: those that differ. Errors: as Next; kBusy also when
  // that position would be before `sequence_min`.
  Result<std::vector<Difference>> Recheck(std::span<const RecordName> records,
                                          std::uint64_t sequence_min);

  // Where a new Comparison may go on.
  [[nodiscard]] const ComparisonProgress& settled() const { return settled_; }
  [[nodiscard]] const ComparisonProgress& reached() const { return reached_; }
  // Records of legacy, which a pass over everything will compare, as of a moment ago.
  [[nodiscard]] std::uint64_t records_total() const { return records_total_; }

 private:
  [[nodiscard]] Status CheckPosition(std::uint64_t sequence_min) const;
  Result<Window> NextAtPosition(const WindowBudget& budget);
  [[nodiscard]] bool IsNeeded(const Effect& effect) const;
  Status CompareCollections(const WindowBudget& budget, Window& window, ComparisonProgress& reached,
                            std::vector<RecordName>& found);
  // Asked for, and held by both.
  [[nodiscard]] bool IsCompared(const std::string& name);
  Result<std::vector<std::string>> CollectionsLeft(const ComparisonProgress& reached);
  // True when the collection is finished.
  Result<bool> CompareChunk(const Collection& collection, std::uint64_t bytes_max,
                            ComparisonProgress& reached, std::vector<RecordName>& found);
  Result<std::vector<Difference>> ReadAgain(std::span<const RecordName> records);
  [[nodiscard]] bool IsSpent(const WindowBudget& budget, const Window& window,
                             std::size_t found) const;
  Status UpdateTotal();

  const Clock& clock_;
  const ComparisonOptions options_;
  StorePair pair_;
  ChunkComparer chunk_;
  ComparisonProgress settled_;
  ComparisonProgress reached_;
  std::vector<RecordName> candidates_;  // sorted; found up to reached_, to be read again
  bool is_compared_ = false;            // nothing is left but the candidates
  SteadyTime window_began_{};
  std::uint64_t window_count_ = 0;
  std::uint64_t records_total_ = 0;
};

}  // namespace switchback
