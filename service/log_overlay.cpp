#include "service/log_overlay.hpp"

#include <algorithm>
#include <cstring>

#include "common/check.hpp"

namespace switchback {

const LogOverlay::Entry* LogOverlay::Part::Find(std::string_view key) const {
  const auto at = std::lower_bound(
      entries.begin(), entries.end(), key,
      [](const Entry& entry, std::string_view wanted) { return entry.key < wanted; });
  return at != entries.end() && at->key == key ? &*at : nullptr;
}

bool LogOverlay::Add(const Effect& effect) {
  SB_CHECK(!is_finished_, "an overlay grows only before it is finished");
  SB_CHECK(effect.collection != nullptr, "an effect belongs to a collection");
  if (effect.kind == EffectKind::kClear) {
    Part& part = PartOf(*effect.collection);
    part.is_cleared = true;
    // The keys' bytes stay until Reset: a clear is rare, and the limit counts them.
    byte_count_ -= part.entries.size() * sizeof(Entry);
    part.entries.clear();
    return true;
  }
  const std::size_t bytes = sizeof(Entry) + effect.key.size();
  if (byte_count_ + bytes > bytes_max_) return false;
  byte_count_ += bytes;
  Entry entry{CopyKey(effect.key), order_++, effect.kind == EffectKind::kPut, {}};
  if (entry.is_put) entry.digest = DigestOf(effect.value);
  PartOf(*effect.collection).entries.push_back(entry);
  return true;
}

void LogOverlay::Finish() {
  for (Part& part : parts_) {
    auto& entries = part.entries;
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      const int order = a.key.compare(b.key);
      return order < 0 || (order == 0 && a.order > b.order);  // the newest of a key comes first
    });
    const auto is_same_key = [](const Entry& a, const Entry& b) { return a.key == b.key; };
    entries.erase(std::unique(entries.begin(), entries.end(), is_same_key), entries.end());
  }
  is_finished_ = true;
}

void LogOverlay::Reset() {
  parts_.clear();
  positions_.clear();
  blocks_.clear();
  used_ = kBlockBytes;
  byte_count_ = 0;
  order_ = 0;
  is_finished_ = false;
}

const LogOverlay::Part* LogOverlay::Find(const Collection& collection) const {
  SB_CHECK(is_finished_, "look-ups come after Finish");
  if (collection.index >= positions_.size() || positions_[collection.index] == 0) return nullptr;
  return &parts_[positions_[collection.index] - 1];
}

LogOverlay::Part& LogOverlay::PartOf(const Collection& collection) {
  if (collection.index >= positions_.size()) positions_.resize(collection.index + std::size_t{1});
  std::uint32_t& position = positions_[collection.index];
  if (position == 0) {
    parts_.push_back({&collection, false, {}});
    position = static_cast<std::uint32_t>(parts_.size());
  }
  return parts_[position - 1];
}

std::string_view LogOverlay::CopyKey(std::string_view key) {
  SB_CHECK(key.size() <= kBlockBytes, "a key fits into a block");
  if (used_ + key.size() > kBlockBytes) {
    blocks_.push_back(std::unique_ptr<char[]>(new char[kBlockBytes]));
    used_ = 0;
  }
  char* copy = blocks_.back().get() + used_;
  std::memcpy(copy, key.data(), key.size());
  used_ += key.size();
  return {copy, key.size()};
}

}  // namespace switchback
