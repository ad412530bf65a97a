#include "service/batch.hpp"

#include <xxhash.h>

#include <algorithm>

#include "common/bytes.hpp"
#include "common/check.hpp"

namespace switchback {
namespace {

constexpr std::size_t kEffectHeaderBytes = 1 + 2 + 2 + 4;

}  // namespace

std::size_t BatchBuilder::ItemHash::operator()(const Probe& probe) const {
  return XXH3_64bits_withSeed(probe.key.data(), probe.key.size(), probe.collection);
}

BatchBuilder::Probe BatchBuilder::ProbeOf(std::int32_t item) const {
  const Item& found = items_[static_cast<std::size_t>(item)];
  return {found.collection->index, std::string_view(bytes_).substr(found.offset, found.key_size)};
}

std::uint16_t BatchBuilder::LocalIndex(const Collection& collection) {
  for (std::size_t i = collections_.size(); i-- > 0;) {  // nearly always one or two
    if (collections_[i] == &collection) return static_cast<std::uint16_t>(i);
  }
  collections_.push_back(&collection);
  return static_cast<std::uint16_t>(collections_.size() - 1);
}

void BatchBuilder::Add(EffectKind kind, const Collection& collection, std::string_view key,
                       std::string_view value) {
  SB_CHECK(key.size() <= kKeyBytesMax, "keys are checked before they become effects");
  AppendInteger(bytes_, static_cast<std::uint8_t>(kind));
  AppendInteger(bytes_, LocalIndex(collection));
  AppendInteger(bytes_, static_cast<std::uint16_t>(key.size()));
  AppendInteger(bytes_, static_cast<std::uint32_t>(value.size()));
  items_.push_back({kind, &collection, bytes_.size(), static_cast<std::uint32_t>(key.size()),
                    static_cast<std::uint32_t>(value.size()), kNone});
  bytes_.append(key);
  bytes_.append(value);
  if (kind == EffectKind::kClear) clears_.push_back(static_cast<std::int32_t>(items_.size() - 1));
}

void BatchBuilder::Truncate(std::size_t count) {
  while (items_.size() > count) {
    const auto last = static_cast<std::int32_t>(items_.size() - 1);
    if (indexed_count_ == items_.size()) {
      if (items_.back().kind != EffectKind::kClear) {
        index_.erase(last);
        if (items_.back().previous != kNone) index_.insert(items_.back().previous);
      }
      --indexed_count_;
    }
    if (!clears_.empty() && clears_.back() == last) clears_.pop_back();
    bytes_.resize(items_.back().offset - kEffectHeaderBytes);
    items_.pop_back();
  }
}

void BatchBuilder::IndexNewItems() {
  for (; indexed_count_ < items_.size(); ++indexed_count_) {
    const auto item = static_cast<std::int32_t>(indexed_count_);
    if (items_[indexed_count_].kind == EffectKind::kClear) continue;
    if (const auto hidden = index_.find(item); hidden != index_.end()) {
      items_[indexed_count_].previous = *hidden;
      index_.erase(hidden);
    }
    index_.insert(item);
  }
}

std::int32_t BatchBuilder::LastClear(const Collection& collection) const {
  for (std::size_t i = clears_.size(); i-- > 0;) {
    if (items_[static_cast<std::size_t>(clears_[i])].collection == &collection) return clears_[i];
  }
  return kNone;
}

BatchBuilder::Found BatchBuilder::Find(const Collection& collection, std::string_view key,
                                       std::string_view& value) {
  if (items_.empty()) return Found::kNothing;
  IndexNewItems();
  const std::int32_t cleared = LastClear(collection);
  const auto found = index_.find(Probe{collection.index, key});
  if (found == index_.end() || *found < cleared)
    return cleared == kNone ? Found::kNothing : Found::kAbsent;
  const Item& item = items_[static_cast<std::size_t>(*found)];
  if (item.kind == EffectKind::kDelete) return Found::kAbsent;
  value = std::string_view(bytes_).substr(item.offset + item.key_size, item.value_size);
  return Found::kPut;
}

bool BatchBuilder::Touches(const Collection& collection, std::string_view key) {
  std::string_view ignored;
  return Find(collection, key, ignored) != Found::kNothing;
}

bool BatchBuilder::IsCleared(const Collection& collection) const {
  return LastClear(collection) != kNone;
}

Effect BatchBuilder::At(std::size_t position) const {
  const Item& item = items_[position];
  const std::string_view bytes(bytes_);
  return {item.kind, item.collection, bytes.substr(item.offset, item.key_size),
          bytes.substr(item.offset + item.key_size, item.value_size)};
}

std::string BatchBuilder::Preamble() {
  std::string preamble;
  AppendInteger(preamble, static_cast<std::uint16_t>(collections_.size()));
  for (const Collection* collection : collections_) {
    AppendInteger(preamble, static_cast<std::uint8_t>(collection->name.size()));
    preamble += collection->name;
  }
  AppendInteger(preamble, static_cast<std::uint32_t>(items_.size()));
  return preamble;
}

Batch BatchBuilder::Take(std::uint64_t sequence) {
  Batch batch;
  batch.sequence = sequence;
  batch.bytes = std::make_shared<const std::string>(std::move(bytes_));
  batch.effects.reserve(items_.size());
  const std::string_view bytes(*batch.bytes);
  for (const Item& item : items_) {
    batch.effects.push_back({item.kind, item.collection, bytes.substr(item.offset, item.key_size),
                             bytes.substr(item.offset + item.key_size, item.value_size)});
  }
  bytes_.clear();
  items_.clear();
  collections_.clear();
  index_.clear();
  indexed_count_ = 0;
  clears_.clear();
  return batch;
}

Result<std::vector<Effect>> DecodeBatch(std::string_view payload, CollectionCatalog& catalog) {
  const auto corrupt = [](const char* what) {
    return Fail(ErrorCode::kCorruption, std::string("batch in the log: ") + what);
  };
  ByteReader reader(payload);
  std::vector<const Collection*> collections(reader.ReadInteger<std::uint16_t>());
  for (const Collection*& collection : collections) {
    auto interned = catalog.Intern(reader.ReadBytes(reader.ReadInteger<std::uint8_t>()));
    if (!interned) return corrupt(interned.error().message.c_str());
    collection = *interned;
  }
  const auto count = reader.ReadInteger<std::uint32_t>();
  if (!reader.is_ok() || count > reader.remaining() / kEffectHeaderBytes)
    return corrupt("too short");
  std::vector<Effect> effects(count);
  for (Effect& effect : effects) {
    const auto kind = reader.ReadInteger<std::uint8_t>();
    const auto collection = reader.ReadInteger<std::uint16_t>();
    const auto key_size = reader.ReadInteger<std::uint16_t>();
    const auto value_size = reader.ReadInteger<std::uint32_t>();
    effect.key = reader.ReadBytes(key_size);
    effect.value = reader.ReadBytes(value_size);
    if (!reader.is_ok()) return corrupt("too short");
    if (kind < 1 || kind > 3 || collection >= collections.size()) return corrupt("bad effect");
    effect.kind = static_cast<EffectKind>(kind);
    const bool has_key = effect.kind != EffectKind::kClear;
    if ((key_size > 0) != has_key || key_size > kKeyBytesMax ||
        (value_size > 0 && effect.kind != EffectKind::kPut))
      return corrupt("an effect that no store can hold");
    effect.collection = collections[collection];
  }
  if (reader.remaining() != 0) return corrupt("bytes left over");
  return effects;
}

}  // namespace switchback
