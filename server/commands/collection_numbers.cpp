#include "server/commands/collection_numbers.hpp"

#include <limits>

#include "server/commands/numbers.hpp"

namespace switchback {
namespace {

constexpr unsigned kDefaultNumberCount = 16;

}  // namespace

std::map<unsigned, std::string> DefaultNumberedCollections() {
  std::map<unsigned, std::string> names;
  names[0] = "default";
  for (unsigned i = 1; i < kDefaultNumberCount; ++i) names[i] = "db" + std::to_string(i);
  return names;
}

CollectionNumbers::CollectionNumbers(CollectionCatalog& catalog,
                                     const std::map<unsigned, std::string>& names)
    : catalog_(catalog), names_(DefaultNumberedCollections()) {
  for (const auto& [number, name] : names) names_[number] = name;
}

Result<const Collection*> CollectionNumbers::Resolve(std::string_view number_or_name) const {
  long long number = 0;
  if (!ParseInteger(number_or_name, number)) return catalog_.Intern(number_or_name);
  if (number >= 0 && number <= std::numeric_limits<unsigned>::max()) {
    const auto found = names_.find(static_cast<unsigned>(number));
    if (found != names_.end()) return catalog_.Intern(found->second);
  }
  // An adopted environment may have a database called "2024".
  const Collection* named = catalog_.Find(number_or_name);
  if (named != nullptr) return named;
  return Fail(ErrorCode::kInvalidArgument, "DB index is out of range");
}

std::optional<unsigned> CollectionNumbers::NumberOf(const Collection& collection) const {
  for (const auto& [number, name] : names_) {
    if (name == collection.name) return number;
  }
  return std::nullopt;
}

}  // namespace switchback
