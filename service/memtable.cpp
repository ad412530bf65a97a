#include "service/memtable.hpp"

#include <algorithm>

#include "common/check.hpp"

namespace switchback {

Memtable::Memtable(MemtableOptions options, std::uint64_t last_sequence)
    : options_(options), last_sequence_(last_sequence) {}

Memtable::Found Memtable::Find(const Collection& collection, std::string_view key,
                               std::string_view& value) const {
  const std::uint64_t hash = Segment::HashOf(collection, key);
  for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
    const bool may_contain = (*segment)->MayContain(hash);
    if (!may_contain && !(*segment)->has_clear()) continue;
    const Segment::CollectionEffects* effects = (*segment)->EffectsOf(collection);
    if (effects == nullptr) continue;
    if (may_contain) {
      if (const auto found = effects->entries.find(key); found != effects->entries.end()) {
        value = found->second.value;
        return found->second.is_put ? Found::kPut : Found::kAbsent;
      }
    }
    if (effects->is_cleared) return Found::kAbsent;
  }
  return Found::kNothing;
}

Memtable::Cursor Memtable::Seek(const Collection& collection, std::string_view from) const {
  Cursor cursor;
  for (auto segment = segments_.rbegin(); segment != segments_.rend() && !cursor.is_store_hidden_;
       ++segment) {
    const Segment::CollectionEffects* effects = (*segment)->EffectsOf(collection);
    if (effects == nullptr) continue;
    const auto at = effects->entries.lower_bound(from);
    if (at != effects->entries.end()) cursor.positions_.push_back({at, effects->entries.end()});
    cursor.is_store_hidden_ = effects->is_cleared;  // and so is every older segment
  }
  cursor.Settle();
  return cursor;
}

std::vector<const Collection*> Memtable::TouchedCollections() const {
  std::vector<const Collection*> touched;
  for (const SegmentPtr& segment : segments_) {
    for (const auto& effects : segment->by_collection()) {
      if (!effects) continue;
      const auto is_put = [](const auto& entry) { return entry.second.is_put; };
      if (std::any_of(effects->entries.begin(), effects->entries.end(), is_put))
        touched.push_back(effects->collection);
    }
  }
  return touched;
}

// The smallest key wins, and of equal keys the one in the newest segment: the first found.
void Memtable::Cursor::Settle() {
  is_valid_ = false;
  for (const Position& position : positions_) {
    if (position.at == position.end || (is_valid_ && position.at->first >= key_)) continue;
    is_valid_ = true;
    key_ = position.at->first;
    entry_ = &position.at->second;
  }
}

void Memtable::Cursor::Next() {
  for (Position& position : positions_) {
    if (position.at != position.end && position.at->first == key_) ++position.at;
  }
  Settle();
}

void Memtable::Publish(const Batch& batch) {
  SB_CHECK(batch.sequence == last_sequence() + 1, "batches are published in order");
  bool is_sealed = false;
  {
    const SteadyTime now = options_.clock->Now();
    ExclusiveLock lock(mutex_);
    last_published_at_ = now;
    const bool is_new = segments_.empty() || !is_newest_open_;
    if (is_new) {
      segments_.push_back(std::make_shared<Segment>(batch.sequence, now));
      is_newest_open_ = true;
    }
    Segment& newest = *segments_.back();
    const std::size_t bytes_before = newest.byte_count();
    const std::size_t records_before = newest.record_count();
    newest.Add(batch);
    bytes_.fetch_add(newest.byte_count() - bytes_before, std::memory_order_relaxed);
    records_.fetch_add(newest.record_count() - records_before, std::memory_order_relaxed);
    if (newest.byte_count() >= options_.segment_bytes_max ||
        newest.record_count() >= options_.segment_record_count_max) {
      is_newest_open_ = false;
      is_sealed = true;
    }
    last_sequence_.store(batch.sequence, std::memory_order_seq_cst);
    version_.store(version_.load(std::memory_order_relaxed) | 1, std::memory_order_seq_cst);
  }
  if (work_waiters_.load(std::memory_order_seq_cst) > 0 ||
      (is_sealed && more_waiters_.load(std::memory_order_seq_cst) > 0)) {
    NotifyWork();
  }
}

void Memtable::Load(std::shared_ptr<Segment> segment) {
  ExclusiveLock lock(mutex_);
  SB_CHECK(segment->first_sequence() == last_sequence() + 1, "segments are loaded in order");
  bytes_.fetch_add(segment->byte_count(), std::memory_order_relaxed);
  records_.fetch_add(segment->record_count(), std::memory_order_relaxed);
  last_sequence_.store(segment->last_sequence(), std::memory_order_seq_cst);
  version_.store(version_.load(std::memory_order_relaxed) | 1, std::memory_order_seq_cst);
  segments_.push_back(std::move(segment));
  is_newest_open_ = false;
}

bool Memtable::IsFull() const {
  return bytes_.load(std::memory_order_relaxed) >= options_.bytes_max ||
         records_.load(std::memory_order_relaxed) >= options_.record_count_max;
}

bool Memtable::IsHalfFull() const {
  return bytes_.load(std::memory_order_relaxed) >= options_.bytes_max / 2 ||
         records_.load(std::memory_order_relaxed) >= options_.record_count_max / 2;
}

void Memtable::Clear() {
  std::vector<SegmentPtr> gone;
  {
    ExclusiveLock lock(mutex_);
    for (const Coverage& coverage : coverage_)
      SB_CHECK(!coverage.is_covered, "nothing is taken from a store that reads it");
    gone.assign(segments_.begin(), segments_.end());
    segments_.clear();
    is_newest_open_ = false;
    bytes_ = 0;
    records_ = 0;
    Evict(gone, true);
  }
  NotifyRoom();
}

std::uint64_t Memtable::Seal() {
  ExclusiveLock lock(mutex_);
  is_newest_open_ = false;
  return last_sequence();
}

bool Memtable::WaitForRoom(SteadyTime deadline) {
  MutexLock lock(wait_mutex_);
  while (IsFull()) {
    if (!room_.WaitUntil(wait_mutex_, deadline)) return !IsFull();
  }
  return true;
}

void Memtable::Evict(std::vector<SegmentPtr>& gone, bool has_coverage_changed) {
  std::uint64_t applied_by_all = UINT64_MAX;
  for (const Coverage& coverage : coverage_) {
    if (coverage.is_covered) applied_by_all = std::min(applied_by_all, coverage.applied_sequence);
  }
  // With no covered store everything stays: it is the only way back into service for the store that
  // comes first.
  if (applied_by_all == UINT64_MAX) applied_by_all = 0;
  while (!segments_.empty() && segments_.front()->last_sequence() <= applied_by_all) {
    bytes_.fetch_sub(segments_.front()->byte_count(), std::memory_order_relaxed);
    records_.fetch_sub(segments_.front()->record_count(), std::memory_order_relaxed);
    gone.push_back(std::move(segments_.front()));
    segments_.pop_front();
  }
  if (segments_.empty()) is_newest_open_ = false;
  if (gone.empty() && !has_coverage_changed) return;
  const std::uint64_t tag = SnapshotTag(version_.load(std::memory_order_relaxed)) + 1;
  version_.store((tag << 1) | (segments_.empty() ? 0u : 1u), std::memory_order_seq_cst);
}

bool Memtable::Cover(Role role, std::uint64_t applied_sequence, bool is_whole) {
  std::vector<SegmentPtr> gone;
  bool is_covered = false;
  {
    ExclusiveLock lock(mutex_);
    SB_CHECK(applied_sequence <= last_sequence(), "no store is ahead of the log (I3)");
    const std::uint64_t first =
        segments_.empty() ? last_sequence() + 1 : segments_.front()->first_sequence();
    if (applied_sequence + 1 >= first) {
      coverage_[Index(role)] = {true, applied_sequence, is_whole};
      is_covered = true;
      Evict(gone, true);
    }
  }
  if (!gone.empty()) NotifyRoom();
  return is_covered;
}

void Memtable::Uncover(Role role) {
  std::vector<SegmentPtr> gone;
  {
    ExclusiveLock lock(mutex_);
    if (!coverage_[Index(role)].is_covered) return;
    coverage_[Index(role)] = {};
    Evict(gone, true);
  }
  NotifyRoom();
}

bool Memtable::UncoverUnlessLast(Role role) {
  std::vector<SegmentPtr> gone;
  {
    ExclusiveLock lock(mutex_);
    if (!coverage_[Index(role)].is_covered) return true;
    if (!IsCoveredWhole(Other(role))) return false;
    coverage_[Index(role)] = {};
    Evict(gone, true);
  }
  NotifyRoom();
  return true;
}

bool Memtable::Applied(Role role, std::uint64_t applied_sequence) {
  std::vector<SegmentPtr> gone;
  {
    ExclusiveLock lock(mutex_);
    Coverage& coverage = coverage_[Index(role)];
    if (!coverage.is_covered) return false;
    SB_CHECK(applied_sequence >= coverage.applied_sequence,
             "a store never goes back while it is covered");
    coverage.applied_sequence = applied_sequence;
    Evict(gone, false);
  }
  if (!gone.empty()) NotifyRoom();
  return true;
}

std::vector<std::shared_ptr<const Segment>> Memtable::NextFor(std::uint64_t applied_sequence,
                                                              const Gathering& gathering) {
  std::vector<std::shared_ptr<const Segment>> next;
  std::size_t records = 0;
  std::size_t bytes = 0;
  bool is_limit_reached = false;
  ExclusiveLock lock(mutex_);
  for (const SegmentPtr& segment : segments_) {
    if (segment->last_sequence() <= applied_sequence) continue;
    records += segment->record_count();
    bytes += segment->byte_count();
    is_limit_reached = records >= gathering.record_count_max || bytes >= gathering.bytes_max;
    const bool is_too_much = records > gathering.record_count_max || bytes > gathering.bytes_max;
    if (is_too_much && !next.empty()) break;
    next.push_back(segment);
    if (is_limit_reached) break;
  }
  if (next.empty()) return next;
  const SteadyTime now = options_.clock->Now();
  const bool may_gather = now - next.front()->created_at() < gathering.age_min &&
                          now - last_published_at_ < gathering.quiet_min;
  if (!is_limit_reached && may_gather) return {};
  if (next.back() == segments_.back()) is_newest_open_ = false;
  return next;
}

std::uint64_t Memtable::WakeCount() {
  MutexLock lock(wait_mutex_);
  return wake_count_;
}

void Memtable::WaitForWork(std::uint64_t applied_sequence, std::uint64_t wakes_seen,
                           SteadyTime deadline) {
  MutexLock lock(wait_mutex_);
  work_waiters_.fetch_add(1, std::memory_order_seq_cst);
  while (last_sequence_.load(std::memory_order_seq_cst) <= applied_sequence &&
         wake_count_ == wakes_seen) {
    if (!work_.WaitUntil(wait_mutex_, deadline)) break;
  }
  work_waiters_.fetch_sub(1, std::memory_order_seq_cst);
}

void Memtable::WaitForMore(std::uint64_t wakes_seen, SteadyTime deadline) {
  MutexLock lock(wait_mutex_);
  more_waiters_.fetch_add(1, std::memory_order_seq_cst);
  while (wake_count_ == wakes_seen) {
    if (!work_.WaitUntil(wait_mutex_, deadline)) break;
  }
  more_waiters_.fetch_sub(1, std::memory_order_seq_cst);
}

void Memtable::NotifyRoom() {
  MutexLock lock(wait_mutex_);
  room_.NotifyAll();
}

void Memtable::NotifyWork() {
  MutexLock lock(wait_mutex_);
  ++wake_count_;
  work_.NotifyAll();
}

void Memtable::Wake() {
  NotifyWork();
}

Memtable::Size Memtable::GetSize() const {
  SharedLock lock(mutex_);
  return {bytes_.load(std::memory_order_relaxed), records_.load(std::memory_order_relaxed),
          segments_.size()};
}

std::optional<SteadyTime> Memtable::OldestAfter(std::uint64_t applied_sequence) const {
  SharedLock lock(mutex_);
  for (const SegmentPtr& segment : segments_) {
    if (segment->last_sequence() > applied_sequence) return segment->created_at();
  }
  return std::nullopt;
}

}  // namespace switchback
