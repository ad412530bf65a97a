// The records that a verify has found to differ, by name: the journal's list "verify". Nothing of
// it is kept in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "migration/comparison.hpp"
#include "migration/difference.hpp"
#include "migration/journal.hpp"

namespace switchback {

// One entry of the list.
struct NamedDifference {
  std::string collection;
  std::string key;
  std::string kind;  // "missing" "extra" "differs"
  struct Value {
    std::uint64_t bytes = 0;
    std::string hash;  // XXH3-128, hexadecimal
  };
  std::optional<Value> legacy, unified;  // nullopt: the store does not have it
  std::uint64_t sequence = 0;            // the position of the log at which it was read
  std::uint64_t pass = 0;
};

// Thread-safe, as the journal. Errors of every call: the journal's.
class VerifyFindings {
 public:
  explicit VerifyFindings(Journal& journal) : journal_(journal) {}

  Status Add(std::span<const Difference> differences, std::uint64_t pass);
  Status Clear();
  // Removes what that pass has found after the record.
  Status RemoveAfter(const std::string& collection, const std::string& key, std::uint64_t pass);
  // Removes what earlier passes have found and that one has not.
  Status RemoveBefore(std::uint64_t pass);
  Status Remove(std::span<const RecordName> records);
  // At most `count_max` in order, beginning after (collection, key).
  Result<std::vector<NamedDifference>> List(std::string_view after_collection,
                                            std::string_view after_key, std::size_t count_max);

 private:
  // Removes those after the record that the predicate picks.
  Status RemoveWhere(std::string collection, std::string key,
                     const std::function<bool(const NamedDifference&)>& is_picked);

  Journal& journal_;
};

}  // namespace switchback
