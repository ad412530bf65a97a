#include "migration/invalid_records.hpp"

#include <nlohmann/json.hpp>

namespace switchback {

Result<std::shared_ptr<InvalidRecords>> InvalidRecords::Open(ValidationRules rules,
                                                             Journal& journal) {
  const auto count = journal.CountFindings(kList);
  if (!count) return Fail(count.error());
  return std::shared_ptr<InvalidRecords>(new InvalidRecords(std::move(rules), journal, *count));
}

void InvalidRecords::Inspect(std::string_view collection, std::string_view key,
                             std::string_view value) {
  if (rule_collection_ != collection) {
    rule_collection_ = collection;
    rule_ = rules_.Find(collection);
  }
  if (rule_ == nullptr) return;
  auto why = WhyInvalid(*rule_, key, value);
  if (!why) return;
  pending_.push_back({std::string(collection), std::string(key),
                      nlohmann::json{{"reason", *std::move(why)}}.dump()});
}

Status InvalidRecords::Flush() {
  if (pending_.empty()) return {};
  const std::uint64_t before = count();
  const std::uint64_t found = pending_.size();
  if (before < kListedCountMax) {
    if (pending_.size() > kListedCountMax - before) pending_.resize(kListedCountMax - before);
    SB_RETURN_IF_ERROR(journal_.AddFindings(kList, pending_));
  }
  pending_.clear();
  count_.store(before + found, std::memory_order_relaxed);
  return {};
}

}  // namespace switchback
