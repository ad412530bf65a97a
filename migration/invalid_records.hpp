// The records that a copy found to break their collection's rule: all counted, the first ones
// listed in the journal.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "migration/journal.hpp"
#include "migration/validation_rules.hpp"

namespace switchback {

// Inspect and Flush from the thread that copies, count() from any.
class InvalidRecords {
 public:
  static constexpr const char* kList = "invalid";
  // So many are listed by name; the rest is counted.
  static constexpr std::uint64_t kListedCountMax = 100'000;

  // `journal` outlives it. Goes on counting from what is listed.
  static Result<std::shared_ptr<InvalidRecords>> Open(ValidationRules rules, Journal& journal);

  void Inspect(std::string_view collection, std::string_view key, std::string_view value);
  // What was inspected since the last Flush is copied for good, or (Drop) will be copied again.
  Status Flush();
  void Drop() { pending_.clear(); }

  [[nodiscard]] std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  InvalidRecords(ValidationRules rules, Journal& journal, std::uint64_t count)
      : rules_(std::move(rules)), journal_(journal), count_(count) {}

  const ValidationRules rules_;
  Journal& journal_;
  std::atomic<std::uint64_t> count_;
  std::vector<Finding> pending_;
  std::string rule_collection_;  // of rule_, so that the map is asked once a collection
  const ValidationRule* rule_ = nullptr;
};

}  // namespace switchback
