#include "service/sorted_effects.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <tuple>

namespace switchback {
namespace {

// Keys lie all over memory, and fetching them is what sorting costs. So most comparisons look at
// eight bytes that are carried along: those behind what all keys have in common.
struct Item {
  std::uint64_t hint;
  std::uint32_t position;  // the newest of a key is last
  std::uint32_t collection;
  const Effect* effect;
};

std::size_t CommonPrefix(std::string_view a, std::string_view b) {
  const std::size_t size = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(size), b.begin()).first -
      a.begin());
}

// Orders like the bytes from `skip` on, as far as eight of them do.
std::uint64_t HintOf(std::string_view key, std::size_t skip) {
  unsigned char bytes[8] = {};
  const std::string_view rest = key.substr(skip, sizeof bytes);
  std::memcpy(bytes, rest.data(), rest.size());
  std::uint64_t hint = 0;
  for (const unsigned char byte : bytes) hint = hint << 8 | byte;
  return hint;
}

bool IsBefore(const Item& a, const Item& b) {
  if (a.collection != b.collection) return a.collection < b.collection;
  if (a.hint != b.hint) return a.hint < b.hint;
  const int order = a.effect->key.compare(b.effect->key);
  return order != 0 ? order < 0 : a.position < b.position;
}

bool IsSameKey(const Item& a, const Item& b) {
  return a.collection == b.collection && a.hint == b.hint && a.effect->key == b.effect->key;
}

}  // namespace

std::vector<const Effect*> SortedEffects(std::span<const Batch> batches) {
  std::vector<Item> items;
  std::size_t skip = SIZE_MAX;
  std::string_view first;
  for (const Batch& batch : batches) {
    for (const Effect& effect : batch.effects) {
      if (items.empty()) first = effect.key;
      skip = std::min(skip, CommonPrefix(first, effect.key));
      items.push_back(
          {0, static_cast<std::uint32_t>(items.size()), effect.collection->index, &effect});
    }
  }
  for (Item& item : items) item.hint = HintOf(item.effect->key, skip);
  std::sort(items.begin(), items.end(), IsBefore);
  std::vector<const Effect*> sorted;
  sorted.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i + 1 == items.size() || !IsSameKey(items[i], items[i + 1]))
      sorted.push_back(items[i].effect);
  }
  return sorted;
}

}  // namespace switchback
