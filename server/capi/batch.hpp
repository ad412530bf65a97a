// Several writes and the conditions they hang on, gathered for one atomic write.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/capi/handles.hpp"
#include "service/transaction.hpp"

namespace switchback::capi {

// One thread at a time. Knows collections by name: it belongs to no service.
class WriteList {
 public:
  enum class Kind : std::uint8_t { kPut, kDelete, kExpectValue, kExpectAbsent };

  // Copies. kInvalidArgument (name, key), kTooLarge (kTransactionBytesMax,
  // kTransactionEffectCountMax): nothing is added.
  Status Add(Kind kind, const char* collection, std::string_view key, std::string_view value);
  // Writes all of it, or nothing; false when a condition does not hold.
  Result<bool> WriteTo(Embedded& embedded) const;
  [[nodiscard]] bool has_conditions() const { return has_conditions_; }

 private:
  struct Entry {
    Kind kind;
    std::uint32_t collection;  // index into names_
    std::string key;
    std::string value;
  };
  std::uint32_t IndexOf(std::string_view name);
  Result<bool> Holds(const Entry& entry, const Collection& collection,
                     Transaction& transaction) const;
  // On the pipeline's thread. False: a condition does not hold, and nothing was added.
  Result<bool> Resolve(const std::vector<const Collection*>& collections,
                       Transaction& transaction) const;

  std::vector<std::string> names_;
  std::vector<Entry> entries_;
  std::size_t byte_count_ = 0;
  bool has_conditions_ = false;
};

}  // namespace switchback::capi

struct switchback_batch {
  switchback::capi::WriteList list;
};
