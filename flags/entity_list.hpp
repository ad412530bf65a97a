// The `allow` and `deny` lists of a flag: entities, and prefixes of entities that end in '*'.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace switchback {

// Immutable after construction; any thread may look up. A lookup allocates nothing: a binary search
// among the entities and one among the prefixes, and nothing at all in an empty list.
class EntityList {
 public:
  EntityList() = default;

  // Each entry is an entity, or a prefix followed by one '*'. "*" alone is every entity. Order and
  // repetition do not matter. Entries must not be empty.
  explicit EntityList(std::vector<std::string> entries);

  [[nodiscard]] bool Contains(std::string_view entity) const noexcept {
    return !entries_.empty() && Search(entity);
  }

  // The entries, sorted and each once: the same list however it was written.
  [[nodiscard]] const std::vector<std::string>& entries() const noexcept { return entries_; }
  [[nodiscard]] bool is_empty() const noexcept { return entries_.empty(); }
  // True when an entry is "*".
  [[nodiscard]] bool has_everything() const noexcept;

  friend bool operator==(const EntityList&, const EntityList&) = default;

 private:
  [[nodiscard]] bool Search(std::string_view entity) const noexcept;

  std::vector<std::string> entries_;
  std::vector<std::string> exact_;     // sorted
  std::vector<std::string> prefixes_;  // sorted, without '*', none a prefix of another
};

}  // namespace switchback
