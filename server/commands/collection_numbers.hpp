// Which collection a client means: SELECT takes a number, as Redis clients send it, or a name.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "backends/collection.hpp"
#include "common/result.hpp"

namespace switchback {

// What the numbers mean unless the configuration names others: 0 is "default", 1..15 are
// "db1".."db15".
std::map<unsigned, std::string> DefaultNumberedCollections();

// Immutable; thread-safe.
class CollectionNumbers {
 public:
  // `names` replaces the defaults number by number. `catalog` outlives this.
  CollectionNumbers(CollectionCatalog& catalog, const std::map<unsigned, std::string>& names);

  // The collection of that number or name. A number that stands for none is a name if a collection
  // of that name is known. Errors (kInvalidArgument): "DB index is out of range", and what the
  // catalog says of a name.
  [[nodiscard]] Result<const Collection*> Resolve(std::string_view number_or_name) const;

  // The collection of a new connection.
  [[nodiscard]] Result<const Collection*> Default() const { return Resolve("0"); }

  [[nodiscard]] std::optional<unsigned> NumberOf(const Collection& collection) const;
  [[nodiscard]] std::size_t count() const { return names_.size(); }

 private:
  CollectionCatalog& catalog_;
  std::map<unsigned, std::string> names_;
};

}  // namespace switchback
