// Several writes that happen all at once or not at all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "server/http/records/preconditions.hpp"
#include "service/transaction.hpp"

namespace switchback {

enum class BatchKind : std::uint8_t {
  kPut,
  kDelete,
  kInsert,  // as a put where there is no record; one that is there stays as it is
};

struct BatchOperation {
  BatchKind kind = BatchKind::kPut;
  std::string key;
  std::string value;
  Preconditions conditions;
  bool may_skip = false;  // of an insert: another value that is there is not a failure
};

// The operations in the body of POST .../batch. Errors (kInvalidArgument, with the operation's
// number): not such a document, a member that is not known, a key that no record can have.
// kTooLarge: more than kRecordBatchCountMax of them.
Result<std::vector<BatchOperation>> ParseBatch(std::string_view body);

// What became of one operation.
struct BatchResult {
  bool was_present = false;
  bool is_stored = false;  // it changed something
};
struct BatchOutcome {
  std::vector<BatchResult> results;
  // The operation whose condition does not hold; an insert's is that the key has no other value.
  std::optional<std::size_t> failed;
};

// Runs them in order; each sees what those before it did. With `failed` none has an effect. Errors:
// those of the transaction.
Result<BatchOutcome> RunBatch(Transaction& transaction, const Collection& collection,
                              const std::vector<BatchOperation>& operations);

}  // namespace switchback
