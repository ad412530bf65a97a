#include "flags/entity_list.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "common/check.hpp"

namespace switchback {

EntityList::EntityList(std::vector<std::string> entries) : entries_(std::move(entries)) {
  std::sort(entries_.begin(), entries_.end());
  entries_.erase(std::unique(entries_.begin(), entries_.end()), entries_.end());
  for (const std::string& entry : entries_) {
    SB_CHECK(!entry.empty(), "the parser refuses empty entries");
    if (entry.back() != '*') {
      exact_.push_back(entry);
    } else {
      prefixes_.push_back(entry.substr(0, entry.size() - 1));
    }
  }
  // Without their '*' the prefixes may be in another order: "a**" sorts before "a*b" only with it.
  std::sort(prefixes_.begin(), prefixes_.end());
  // A prefix that a shorter one covers goes: then only one prefix can match, and Contains knows
  // where it stands.
  std::vector<std::string> kept;
  for (std::string& prefix : prefixes_) {
    if (kept.empty() || !prefix.starts_with(kept.back())) kept.push_back(std::move(prefix));
  }
  prefixes_ = std::move(kept);
}

bool EntityList::Search(std::string_view entity) const noexcept {
  if (std::binary_search(exact_.begin(), exact_.end(), entity, std::less<>())) return true;
  // A prefix of `entity` sorts at or before it, and everything between the two would start with
  // that prefix; none of the others does, so the last one at or before `entity` is the only
  // candidate.
  const auto after = std::upper_bound(prefixes_.begin(), prefixes_.end(), entity, std::less<>());
  return after != prefixes_.begin() && entity.starts_with(*std::prev(after));
}

bool EntityList::has_everything() const noexcept {
  // The empty prefix covers all others, so it is then the only one.
  return !prefixes_.empty() && prefixes_.front().empty();
}

}  // namespace switchback
