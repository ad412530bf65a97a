#include "migration/backfill.hpp"

#include <algorithm>
#include <string_view>
#include <thread>
#include <utility>

#include "common/check.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

// The arena keeps what ordinary steps need; one of a huge batch gives the rest back.
constexpr std::size_t kArenaKeptBytesMax = 32u << 20;
// How many steps the total of records may be old.
constexpr std::uint64_t kStepsPerTotal = 16;

// Ends the snapshot on every path: a forgotten one makes the source grow.
class SnapshotScope {
 public:
  explicit SnapshotScope(ReadView& view) : view_(view) {}
  ~SnapshotScope() { view_.End(); }
  SnapshotScope(const SnapshotScope&) = delete;
  SnapshotScope& operator=(const SnapshotScope&) = delete;

 private:
  ReadView& view_;
};

Error LogGone(std::uint64_t sequence, const std::string& cause) {
  return {ErrorCode::kNotFound, "the commit log no longer holds batch " + std::to_string(sequence) +
                                    " (" + cause +
                                    "): the fill cannot be resumed, start it from the beginning"};
}

}  // namespace

Backfill::Backfill(FillAccess& access, BackfillOptions options,
                   std::shared_ptr<BackfillProgress> progress)
    : access_(access),
      options_(std::move(options)),
      progress_(std::move(progress)),
      arena_(kArenaKeptBytesMax) {
  SB_CHECK(progress_ != nullptr, "a fill reports to somebody");
  SB_CHECK(options_.chunk_record_count_max > 0, "a step makes progress");
}

Result<FillStep> Backfill::Next(const StoreState& committed) {
  SB_CHECK(committed.is_filling, "only a store that is being filled is filled");
  SB_CHECK(!committed.fill_collection.empty() || committed.fill_key.empty(),
           "a cursor's key belongs to a collection");
  if (progress_->is_cancelled()) return Fail(ErrorCode::kCancelled, "the fill was cancelled");
  SB_RETURN_IF_ERROR(KeepPace());
  arena_.Reset();
  pending_ = {};
  pending_.begun_at = std::chrono::steady_clock::now();
  if (options_.invalid != nullptr) options_.invalid->Drop();
  auto step = NextFromSnapshot(committed);
  if (!step) {
    log_.reset();
    view_.reset();  // whatever is wrong with it, the next attempt starts with a new one
    progress_->SetError(step.error(), step.error().code == ErrorCode::kNotFound);
  }
  return step;
}

// Sleeps for a short wait and sends the follower away for a long one, so that it can do something
// else meanwhile.
Status Backfill::KeepPace() const {
  if (progress_->is_paused()) return Fail(ErrorCode::kBusy, "paused by an operator");
  if (options_.throttle == nullptr) return {};
  SB_RETURN_IF_ERROR(options_.throttle->MayGoOn());
  const auto wait = not_before_ - std::chrono::steady_clock::now();
  if (wait.count() <= 0) return {};
  std::this_thread::sleep_for(std::min<SteadyTime::duration>(wait, kSleepMax));
  if (wait <= kSleepMax) return {};
  return Fail(ErrorCode::kBusy, "the copy keeps to its pace");
}

Status Backfill::OpenSnapshot() {
  if (!view_) {
    auto view = access_.NewStoreView(options_.source);
    if (!view) return Fail(std::move(view).error());
    view_ = *std::move(view);
  }
  SB_CHECK(!view_->is_active(), "no snapshot is held between steps");
  return view_->Begin();
}

Result<FillStep> Backfill::NextFromSnapshot(const StoreState& committed) {
  SB_RETURN_IF_ERROR(OpenSnapshot());
  const SnapshotScope scope(*view_);
  const auto source = view_->State();
  if (!source) return Fail(source.error());
  SB_RETURN_IF_ERROR(CheckSource(committed, *source));

  FillStep step;
  step.effects.reserve(options_.chunk_record_count_max);
  step.state = committed;
  step.state.epoch = source->epoch;
  FillCursor cursor(committed);
  if (cursor.is_at_start()) step.state.collections = options_.collections;
  wanted_ = step.state.collections;
  // With nothing filled no effect is in range, so the target's sequence may jump to the source's.
  std::uint64_t reached = source->applied_sequence;
  if (!cursor.is_at_start()) {
    const auto added =
        AddLog(committed.applied_sequence, source->applied_sequence, cursor, step.effects);
    if (!added) return Fail(added.error());
    reached = *added;
  }
  step.state.applied_sequence = reached;
  SB_CHECK(reached >= committed.applied_sequence, "a fill never goes back in the log");
  pending_.collection = cursor.collection;
  const bool is_log_long =
      reached < source->applied_sequence || step.effects.size() >= options_.log_effect_count_max;
  if (is_log_long) return step;  // the chunk comes once the log's part is small

  const auto is_last = AddChunk(cursor, step.effects);
  if (!is_last) return Fail(is_last.error());
  SB_RETURN_IF_ERROR(UpdateTotals(FillCursor(committed), *is_last));
  pending_.is_last = *is_last;
  step.state.is_filling = !*is_last;
  step.state.fill_collection = *is_last ? "" : cursor.collection;
  step.state.fill_key = *is_last ? "" : cursor.key;
  SB_CHECK(*is_last || pending_.records > 0, "a chunk moves the cursor or is the last");
  return step;
}

Status Backfill::CheckSource(const StoreState& committed, const StoreState& source) {
  // A source that has never applied a batch need not know its log yet.
  const bool is_same_log =
      source.log_id == committed.log_id || (source.log_id.empty() && source.applied_sequence == 0);
  if (!is_same_log) {
    return Fail(ErrorCode::kRefused, "fill: source and target follow different commit logs");
  }
  if (source.is_filling) {
    return Fail(ErrorCode::kRefused, "fill: the source is itself being filled");
  }
  if (source.is_partial())
    return Fail(ErrorCode::kRefused, "fill: the source holds some of the collections only");
  if (!committed.fill_collection.empty() && source.epoch != committed.epoch) {
    return Fail(ErrorCode::kNotFound,
                "fill: the source was restored since the fill began: start it from the beginning");
  }
  // After a power cut the source may have lost transactions that it gets back from the log.
  if (source.applied_sequence < committed.applied_sequence && !committed.fill_collection.empty()) {
    return Fail(ErrorCode::kBusy,
                "fill: the source has applied batch " + std::to_string(source.applied_sequence) +
                    ", the target has seen " + std::to_string(committed.applied_sequence));
  }
  return {};
}

Result<std::uint64_t> Backfill::AddLog(std::uint64_t after, std::uint64_t last,
                                       const FillCursor& cursor, std::vector<Effect>& effects) {
  if (after == last) return last;
  if (!log_ || log_position_ != after) {
    auto reader = access_.ReadLog(after);
    if (!reader) {
      if (reader.error().code == ErrorCode::kNotFound)
        return Fail(LogGone(after + 1, reader.error().message));
      return Fail(std::move(reader).error());
    }
    log_ = *std::move(reader);
    log_position_ = after;
  }
  std::size_t bytes = 0;
  std::size_t scanned = 0;
  while (log_position_ < last) {
    const auto batch = NextBatch(log_position_, last);
    if (!batch) return Fail(batch.error());
    bytes += AddCovered(*batch, cursor, effects);
    scanned += batch->effects.size();
    log_position_ = batch->sequence;
    if (effects.size() >= options_.log_effect_count_max || bytes >= options_.log_bytes_max ||
        scanned >= options_.log_scan_effect_count_max) {
      break;
    }
  }
  SB_CHECK(log_position_ > after && log_position_ <= last, "a step of the log stays in its range");
  return log_position_;
}

Result<LogBatch> Backfill::NextBatch(std::uint64_t reached, std::uint64_t last) {
  auto batch = log_->Next(last);
  if (!batch) {
    if (batch.error().code == ErrorCode::kNotFound)
      return Fail(LogGone(reached + 1, batch.error().message));
    return Fail(std::move(batch).error());
  }
  // The source has applied it, so it was durable in the log (I3).
  if (!batch->has_value()) return Fail(LogGone(reached + 1, "the log ends before it"));
  if ((*batch)->sequence != reached + 1)
    return Fail(LogGone(reached + 1, "the next one is " + std::to_string((*batch)->sequence)));
  return **std::move(batch);
}

std::size_t Backfill::AddCovered(const LogBatch& batch, const FillCursor& cursor,
                                 std::vector<Effect>& effects) {
  std::size_t bytes = 0;
  for (const Effect& effect : batch.effects) {
    SB_CHECK(effect.collection != nullptr, "an effect belongs to a collection");
    if (!cursor.Covers(effect) || !IsWanted(effect.collection->name)) continue;
    effects.push_back(
        {effect.kind, effect.collection, arena_.Copy(effect.key), arena_.Copy(effect.value)});
    bytes += effect.key.size() + effect.value.size();
  }
  return bytes;
}

Result<bool> Backfill::AddChunk(FillCursor& cursor, std::vector<Effect>& effects) {
  chunk_bytes_max_ = options_.throttle == nullptr
                         ? options_.chunk_bytes_max
                         : options_.throttle->ChunkBytes(options_.chunk_bytes_max);
  const auto collections = CollectionsToFill();
  if (!collections) return Fail(collections.error());
  for (const Collection* collection : *collections) {
    if (collection->name < cursor.collection) continue;
    const auto is_finished = AddRecords(*collection, cursor, effects);
    if (!is_finished) return Fail(WithContext(is_finished.error(), "fill " + collection->name));
    if (!*is_finished) return false;
  }
  return true;
}

Result<bool> Backfill::AddRecords(const Collection& collection, FillCursor& cursor,
                                  std::vector<Effect>& effects) {
  // The scan starts at the last key filled, because a "next" key could be longer than a key may
  // be.
  const bool is_current = collection.name == cursor.collection;
  const std::string after = is_current ? cursor.key : std::string();
  std::string_view last_key;
  bool is_finished = true;
  const auto visit = [&](std::string_view key, std::string_view value) {
    if (is_current && key <= after) return true;
    if (!HasRoomFor(key.size() + value.size())) {
      is_finished = false;
      return false;
    }
    last_key = arena_.Copy(key);
    effects.push_back({EffectKind::kPut, &collection, last_key, arena_.Copy(value)});
    pending_.records += 1;
    pending_.bytes += key.size() + value.size();
    if (options_.invalid != nullptr) options_.invalid->Inspect(collection.name, key, value);
    return true;
  };
  SB_RETURN_IF_ERROR(view_->Scan(collection, after, visit));
  if (!last_key.empty()) {
    SB_CHECK(!cursor.Covers(collection.name, last_key), "the cursor moves forward only");
    cursor.collection = collection.name;
    cursor.key = last_key;
    pending_.collection = collection.name;
  }
  return is_finished;
}

bool Backfill::HasRoomFor(std::size_t record_bytes) const {
  if (pending_.records == 0) return true;
  return pending_.records < options_.chunk_record_count_max &&
         pending_.bytes + record_bytes <= chunk_bytes_max_;
}

// Counts what was done before this process at the first step, and the total now and then.
Status Backfill::UpdateTotals(const FillCursor& cursor, bool is_last) {
  const bool is_first = step_count_ == 0;
  const bool is_due = is_last || step_count_ % kStepsPerTotal == 0;
  step_count_ += 1;
  if (!is_due) return {};
  const auto total = CountRecords();
  if (!total) return Fail(total.error());
  if (!is_first) {
    progress_->SetTotal(*total);
    return {};
  }
  const auto covered = CountCovered(cursor);
  if (!covered) return Fail(covered.error());
  SB_CHECK(*covered <= *total, "the covered records are some of all");
  progress_->SetTotals(*covered, *total);
  return {};
}

bool Backfill::IsWanted(const std::string& collection) const {
  return wanted_.empty() || std::binary_search(wanted_.begin(), wanted_.end(), collection);
}

Result<std::vector<const Collection*>> Backfill::CollectionsToFill() {
  const auto names = view_->CollectionNames();
  if (!names) return Fail(names.error());
  SB_CHECK(std::is_sorted(names->begin(), names->end()), "collections come in the cursor's order");
  std::vector<const Collection*> collections;
  for (const std::string& name : *names) {
    if (!IsWanted(name)) continue;
    const auto collection = access_.catalog().Intern(name);
    if (!collection) return Fail(WithContext(collection.error(), "fill " + name));
    collections.push_back(*collection);
  }
  return collections;
}

Result<std::uint64_t> Backfill::CountRecords() {
  const auto collections = CollectionsToFill();
  if (!collections) return Fail(collections.error());
  std::uint64_t total = 0;
  for (const Collection* collection : *collections) {
    const auto count = view_->Count(*collection);
    if (!count) return Fail(count.error());
    total += *count;
  }
  return total;
}

// A pass over the collection that was being filled: once in a process, at the engine's full scan
// speed.
Result<std::uint64_t> Backfill::CountCovered(const FillCursor& cursor) {
  if (cursor.is_at_start()) return std::uint64_t{0};
  const auto collections = CollectionsToFill();
  if (!collections) return Fail(collections.error());
  std::uint64_t covered = 0;
  for (const Collection* collection : *collections) {
    if (collection->name > cursor.collection) break;
    if (collection->name < cursor.collection) {
      const auto count = view_->Count(*collection);
      if (!count) return Fail(count.error());
      covered += *count;
      continue;
    }
    const auto count_key = [&](std::string_view key, std::string_view) {
      if (key > cursor.key) return false;
      covered += 1;
      return true;
    };
    SB_RETURN_IF_ERROR(view_->Scan(*collection, {}, count_key));
  }
  return covered;
}

void Backfill::Committed() {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (options_.throttle != nullptr)
    not_before_ = now + options_.throttle->PauseAfter(now - pending_.begun_at, pending_.records,
                                                      pending_.bytes);
  if (options_.invalid != nullptr) {
    if (auto listed = options_.invalid->Flush(); !listed)
      LogWarning("cannot list invalid records: {}", listed.error().message);
  }
  progress_->StepCommitted(pending_.records, pending_.bytes, pending_.collection);
  if (pending_.is_last) progress_->SetFilled();
}

}  // namespace switchback
