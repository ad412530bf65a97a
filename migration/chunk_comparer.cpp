#include "migration/chunk_comparer.hpp"

#include <algorithm>

#include "common/check.hpp"

namespace switchback {

// Walks legacy's items and unified's records together, in key order.
class ChunkComparer::Merge {
 public:
  Merge(const ChunkComparer& chunk, bool has_all_of_legacy, std::size_t differing_count_max,
        std::vector<std::string>& differing)
      : chunk_(chunk),
        has_all_of_legacy_(has_all_of_legacy),
        differing_count_max_(differing_count_max),
        differing_(differing) {}

  // The next record of unified; false ends the chunk.
  bool Visit(std::string_view key, const SeenValue& value) {
    if (!SkipMissing(key)) return false;
    if (next_ == chunk_.items_.size() && !has_all_of_legacy_) return false;  // past the chunk
    if (is_full()) return Stop();
    if (++unified_count_ > chunk_.limits_.unified_record_count_max) return Stop();
    if (next_ < chunk_.items_.size() && chunk_.items_[next_].key == key) {
      const Item& item = chunk_.items_[next_++];
      Count(item);
      if (!IsSame(item, value)) differing_.emplace_back(key);
      reached_ = item.key;
      return true;
    }
    result_.records += 1;
    result_.bytes += key.size() + (value.digest ? value.digest->bytes : value.bytes.size());
    differing_.emplace_back(key);
    extra_key_.assign(key);
    reached_ = extra_key_;
    return true;
  }

  // No record of unified is left in the chunk.
  ChunkResult Finish() {
    while (!is_stopped_ && next_ < chunk_.items_.size()) {
      if (is_full()) {
        is_stopped_ = true;
        break;
      }
      AddMissing();
    }
    result_.is_finished = has_all_of_legacy_ && !is_stopped_;
    result_.last_key = reached_;
    SB_CHECK(result_.is_finished || !reached_.empty(), "a chunk moves on");
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool is_full() const { return differing_.size() >= differing_count_max_; }
  bool Stop() {
    is_stopped_ = true;
    return false;
  }
  void Count(const Item& item) {
    result_.records += 1;
    result_.bytes += item.key.size() + chunk_.ValueBytes(item);
  }
  void AddMissing() {
    const Item& item = chunk_.items_[next_++];
    Count(item);
    differing_.emplace_back(item.key);
    reached_ = item.key;
  }
  // Passes legacy's items below `key`: unified does not have them.
  bool SkipMissing(std::string_view key) {
    while (next_ < chunk_.items_.size() && chunk_.items_[next_].key < key) {
      if (is_full()) return Stop();
      AddMissing();
    }
    return true;
  }
  [[nodiscard]] bool IsSame(const Item& item, const SeenValue& value) const {
    if (item.digest_position == kNoDigest && value.digest == nullptr)
      return item.value == value.bytes;
    const ValueDigest legacy = item.digest_position == kNoDigest
                                   ? DigestOf(item.value)
                                   : chunk_.digests_[item.digest_position];
    return legacy == (value.digest == nullptr ? DigestOf(value.bytes) : *value.digest);
  }

  const ChunkComparer& chunk_;
  const bool has_all_of_legacy_;
  const std::size_t differing_count_max_;
  std::vector<std::string>& differing_;
  ChunkResult result_;
  std::size_t next_ = 0;  // of the items
  std::size_t unified_count_ = 0;
  std::string_view reached_;  // the last key compared
  std::string extra_key_;     // holds it when it is not an item's
  bool is_stopped_ = false;   // before the end of the chunk
};

std::uint64_t ChunkComparer::ValueBytes(const Item& item) const {
  return item.digest_position == kNoDigest ? item.value.size()
                                           : digests_[item.digest_position].bytes;
}

Result<ChunkResult> ChunkComparer::Compare(StorePair& pair, const Collection& collection,
                                           std::string_view after, std::uint64_t bytes_max,
                                           std::size_t differing_count_max,
                                           std::vector<std::string>& differing) {
  SB_CHECK(differing.size() < differing_count_max, "there is room for a difference");
  const auto has_all = CopyLegacy(pair, collection, after, bytes_max);
  if (!has_all) return Fail(WithContext(has_all.error(), "legacy"));
  Merge merge(*this, *has_all, differing_count_max, differing);
  const Status scanned = ScanPair(
      pair, Role::kUnified, collection, after,
      [&](std::string_view key, const SeenValue& value) { return merge.Visit(key, value); });
  if (!scanned) return Fail(WithContext(scanned.error(), "unified"));
  return merge.Finish();
}

Result<bool> ChunkComparer::CopyLegacy(StorePair& pair, const Collection& collection,
                                       std::string_view after, std::uint64_t bytes_max) {
  bytes_max = std::min<std::uint64_t>(bytes_max, limits_.bytes_max);
  arena_.Reset();
  items_.clear();
  digests_.clear();
  std::uint64_t bytes = 0;
  bool has_all = true;
  const auto visit = [&](std::string_view key, const SeenValue& value) {
    const bool is_copied =
        value.digest == nullptr && value.bytes.size() <= limits_.copied_value_bytes_max;
    const std::size_t size = key.size() + (is_copied ? value.bytes.size() : sizeof(ValueDigest));
    const bool has_room = items_.size() < limits_.record_count_max && bytes + size <= bytes_max;
    if (!has_room && !items_.empty()) {
      has_all = false;
      return false;
    }
    bytes += size;
    CopyItem(key, value);
    return true;
  };
  SB_RETURN_IF_ERROR(ScanPair(pair, Role::kLegacy, collection, after, visit));
  return has_all;
}

void ChunkComparer::CopyItem(std::string_view key, const SeenValue& value) {
  Item item{arena_.Copy(key), {}, kNoDigest};
  if (value.digest == nullptr && value.bytes.size() <= limits_.copied_value_bytes_max) {
    item.value = arena_.Copy(value.bytes);
  } else {
    item.digest_position = static_cast<std::uint32_t>(digests_.size());
    digests_.push_back(value.digest == nullptr ? DigestOf(value.bytes) : *value.digest);
  }
  items_.push_back(item);
}

}  // namespace switchback
