// A scan of one store as of the pair's position: its own snapshot with the log's overlay on top.
#pragma once

#include <algorithm>
#include <string_view>

#include "service/store_pair.hpp"

namespace switchback {

// The bytes when they come from the store, only a digest when they come from the overlay.
struct SeenValue {
  std::string_view bytes;
  const ValueDigest* digest = nullptr;  // set: `bytes` says nothing
};

// Visits the records with key > `after` ("" = all) in key order until the visitor, a
// bool(std::string_view key, const SeenValue&), returns false. A template, because the visitor runs
// for every record there is.
template <class Visit>
Status ScanPair(StorePair& pair, Role role, const Collection& collection, std::string_view after,
                Visit&& visit) {
  ReadView& view = pair.view(role);
  const LogOverlay::Part* part = pair.OverlayOf(role, collection);
  bool is_past_first = false;  // only the first key of a scan can be `after` itself
  const auto is_after = [&](std::string_view key) {
    if (is_past_first) return true;
    is_past_first = true;
    return key != after;
  };
  if (part == nullptr) {
    return view.Scan(collection, after, [&](std::string_view key, std::string_view value) {
      return !is_after(key) || visit(key, SeenValue{value});
    });
  }

  auto entry = std::upper_bound(
      part->entries.begin(), part->entries.end(), after,
      [](std::string_view key, const LogOverlay::Entry& other) { return key < other.key; });
  bool is_stopped = false;
  // Hands over the entries below `key`; true when one of them is `key`'s own.
  const auto merge_up_to = [&](std::string_view key) {
    for (; !is_stopped && entry != part->entries.end() && entry->key < key; ++entry) {
      if (entry->is_put) is_stopped = !visit(entry->key, SeenValue{{}, &entry->digest});
    }
    return !is_stopped && entry != part->entries.end() && entry->key == key;
  };
  if (!part->is_cleared) {
    SB_RETURN_IF_ERROR(
        view.Scan(collection, after, [&](std::string_view key, std::string_view value) {
          if (!is_after(key)) return true;
          const bool is_overlaid = merge_up_to(key);  // the log's word is newer
          if (!is_stopped && !is_overlaid) is_stopped = !visit(key, SeenValue{value});
          if (is_overlaid) {
            if (entry->is_put) is_stopped = !visit(key, SeenValue{{}, &entry->digest});
            ++entry;
          }
          return !is_stopped;
        }));
  }
  for (; !is_stopped && entry != part->entries.end(); ++entry) {
    if (entry->is_put) is_stopped = !visit(entry->key, SeenValue{{}, &entry->digest});
  }
  return {};
}

}  // namespace switchback
