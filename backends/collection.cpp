#include "backends/collection.hpp"

#include <algorithm>

namespace switchback {

bool IsValidCollectionName(std::string_view name) {
  const auto is_allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  };
  return !name.empty() && name.size() <= kCollectionNameBytesMax &&
         name.substr(0, kReservedName.size()) != kReservedName &&
         std::all_of(name.begin(), name.end(), is_allowed);
}

Result<const Collection*> CollectionCatalog::Intern(std::string_view name) {
  if (!IsValidCollectionName(name)) {
    return Fail(ErrorCode::kInvalidArgument,
                "collection name must be 1 to 64 of A-Z a-z 0-9 _ . - and not reserved");
  }
  MutexLock lock(mutex_);
  if (const auto found = by_name_.find(name); found != by_name_.end()) return found->second;
  if (collections_.size() >= kCollectionCountMax) {
    return Fail(ErrorCode::kTooLarge,
                "no more than " + std::to_string(kCollectionCountMax) + " collections");
  }
  const auto index = static_cast<std::uint32_t>(collections_.size());
  collections_.push_back(
      std::unique_ptr<const Collection>(new Collection{index, std::string(name)}));
  const Collection* made = collections_.back().get();
  MarkHeld(*made);
  by_name_.emplace(made->name, made);
  return made;
}

const Collection* CollectionCatalog::Find(std::string_view name) const {
  MutexLock lock(mutex_);
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

std::vector<const Collection*> CollectionCatalog::All() const {
  MutexLock lock(mutex_);
  std::vector<const Collection*> all;
  all.reserve(collections_.size());
  for (const auto& collection : collections_) all.push_back(collection.get());
  return all;
}

void CollectionCatalog::SetHeld(std::size_t store, const std::vector<std::string>& names) {
  MutexLock lock(mutex_);
  held_.at(store) = names;
  for (const auto& collection : collections_) MarkHeld(*collection);
}

void CollectionCatalog::MarkHeld(const Collection& collection) const {
  std::uint8_t left_out_of = 0;
  for (std::size_t store = 0; store < kStoreCountMax; ++store) {
    const std::vector<std::string>& held = held_.at(store);
    const bool is_held =
        held.empty() || std::find(held.begin(), held.end(), collection.name) != held.end();
    if (!is_held) left_out_of = static_cast<std::uint8_t>(left_out_of | 1u << store);
  }
  collection.left_out_of.store(left_out_of, std::memory_order_relaxed);
}

}  // namespace switchback
