#include "service/batch_transaction.hpp"

#include <algorithm>

#include "common/limits.hpp"

namespace switchback {

Result<std::optional<std::string_view>> BatchTransaction::Get(const Collection& collection,
                                                              std::string_view key) {
  std::string_view value;
  switch (batch_.Find(collection, key, value)) {
    case BatchBuilder::Found::kPut: return std::optional<std::string_view>(value);
    case BatchBuilder::Found::kAbsent: return std::optional<std::string_view>{};
    case BatchBuilder::Found::kNothing: break;
  }
  return reads_.Get(collection, key);
}

// One key after the other is one point in time here: nothing is published while a batch is
// resolved.
Result<std::vector<std::optional<std::string>>> BatchTransaction::MultiGet(
    const Collection& collection, std::span<const std::string_view> keys) {
  std::vector<std::optional<std::string>> values;
  values.reserve(keys.size());
  for (const std::string_view key : keys) {
    auto value = Get(collection, key);
    if (!value) return Fail(value.error());
    values.push_back(*value ? std::optional<std::string>(**value) : std::nullopt);
  }
  return values;
}

std::map<std::string, std::optional<std::string>> BatchTransaction::Overlay(
    const Collection& collection) const {
  std::map<std::string, std::optional<std::string>> overlay;
  for (std::size_t i = 0; i < batch_.effect_count(); ++i) {
    const Effect effect = batch_.At(i);
    if (effect.collection != &collection) continue;
    if (effect.kind == EffectKind::kClear) overlay.clear();
    if (effect.kind == EffectKind::kPut)
      overlay.insert_or_assign(std::string(effect.key), std::string(effect.value));
    if (effect.kind == EffectKind::kDelete)
      overlay.insert_or_assign(std::string(effect.key), std::nullopt);
  }
  return overlay;
}

Status BatchTransaction::Scan(const Collection& collection, std::string_view from,
                              const Visitor& visit) {
  const auto overlay = Overlay(collection);
  auto own = overlay.lower_bound(std::string(from));
  bool is_stopped = false;
  const auto emit_own_below = [&](std::optional<std::string_view> bound) {
    for (; !is_stopped && own != overlay.end() && (!bound || own->first < *bound); ++own) {
      if (own->second) is_stopped = !visit(own->first, *own->second);
    }
  };
  if (!batch_.IsCleared(collection)) {
    SB_RETURN_IF_ERROR(
        reads_.Scan(collection, from, [&](std::string_view key, std::string_view value) {
          emit_own_below(key);
          if (is_stopped) return false;
          if (own != overlay.end() && own->first == key) {
            if (own->second) is_stopped = !visit(key, *own->second);
            ++own;
          } else {
            is_stopped = !visit(key, value);
          }
          return !is_stopped;
        }));
  }
  emit_own_below(std::nullopt);
  return {};
}

Result<std::uint64_t> BatchTransaction::Count(const Collection& collection) {
  const bool is_cleared = batch_.IsCleared(collection);
  std::uint64_t count = 0;
  if (!is_cleared) {
    auto before = reads_.Count(collection);
    if (!before) return before;
    count = *before;
  }
  for (const auto& [key, value] : Overlay(collection)) {
    bool was_there = false;
    if (!is_cleared) {
      auto before = reads_.Get(collection, key);
      if (!before) return Fail(before.error());
      was_there = before->has_value();
    }
    if (value && !was_there) ++count;
    if (!value && was_there) --count;
  }
  return count;
}

Status BatchTransaction::Put(const Collection& collection, std::string_view key,
                             std::string_view value) {
  SB_RETURN_IF_ERROR(CheckWrite(collection, key, value.size()));
  batch_.Add(EffectKind::kPut, collection, key, value);
  return {};
}

Status BatchTransaction::Delete(const Collection& collection, std::string_view key) {
  SB_RETURN_IF_ERROR(CheckWrite(collection, key, 0));
  batch_.Add(EffectKind::kDelete, collection, key, {});
  return {};
}

Status BatchTransaction::Clear(const Collection& collection) {
  batch_.Add(EffectKind::kClear, collection, {}, {});
  return {};
}

Status BatchTransaction::CheckWrite(const Collection& collection, std::string_view key,
                                    std::size_t value_bytes) {
  if (key.empty() || key.size() > kKeyBytesMax) {
    return Fail(ErrorCode::kInvalidArgument,
                "key must be 1 to " + std::to_string(kKeyBytesMax) + " bytes");
  }
  if (value_bytes > value_bytes_max_) {
    return Fail(ErrorCode::kTooLarge,
                "value is larger than " + std::to_string(value_bytes_max_) + " bytes");
  }
  if (batch_.byte_count() - first_byte_ + key.size() + value_bytes > kTransactionBytesMax ||
      batch_.effect_count() - first_effect_ >= kTransactionEffectCountMax) {
    return Fail(ErrorCode::kTooLarge, "transaction is larger than " +
                                          std::to_string(kTransactionBytesMax) + " bytes or " +
                                          std::to_string(kTransactionEffectCountMax) + " keys");
  }
  return CheckMainCollection(collection, key);
}

// An LMDB environment keeps its named databases as records of the main one: a key there that equals
// a database's name would be mistaken for it. Both ways round it is refused, whatever store is
// routed to, so that rolling back stays possible.
Status BatchTransaction::CheckMainCollection(const Collection& collection, std::string_view key) {
  if (collection.name == kMainCollectionName) {
    if (catalog_.Find(key) == nullptr && key.substr(0, kReservedName.size()) != kReservedName)
      return {};
    return Fail(ErrorCode::kInvalidArgument,
                "key equals the name of a collection: LMDB would confuse them in '" +
                    std::string(kMainCollectionName) + "'");
  }
  if (collection.index < is_checked_against_main_.size() &&
      is_checked_against_main_[collection.index])
    return {};
  if (const Collection* main = catalog_.Find(kMainCollectionName); main != nullptr) {
    auto taken = Get(*main, collection.name);
    if (!taken) return Fail(taken.error());
    if (*taken) {
      return Fail(ErrorCode::kInvalidArgument,
                  "collection '" + collection.name + "' cannot be made: '" +
                      std::string(kMainCollectionName) + "' has a key of that name");
    }
  }
  is_checked_against_main_.resize(
      std::max<std::size_t>(is_checked_against_main_.size(), collection.index + 1));
  is_checked_against_main_[collection.index] =
      true;  // from now on the name is interned: no such key can come into being
  return {};
}

Result<StoredValue> BatchTransaction::GetStored(Role role, const Collection& collection,
                                                std::string_view key) {
  std::string_view value;
  if (batch_.Find(collection, key, value) != BatchBuilder::Found::kNothing) return StoredValue{};
  return reads_.GetStored(role, collection, key);
}

bool BatchTransaction::IsDirty(const WatchSet& watches) const {
  const auto& set = static_cast<const WatchRegistry::Set&>(watches);
  if (set.is_dirty()) return true;
  for (const auto& [collection, key] :
       set.keys()) {  // changes of this very batch are not visible yet
    if (batch_.IsCleared(*collection) || batch_.Touches(*collection, key)) return true;
  }
  return false;
}

}  // namespace switchback
