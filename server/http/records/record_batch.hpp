// Several writes that happen all at once or not at all.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "server/http/records/preconditions.hpp"
#include "service/transaction.hpp"

namespace switchback {

struct BatchOperation {
  bool is_put = true;
  std::string key;
  std::string value;
  Preconditions conditions;
};

// The operations in the body of POST .../batch. Errors (kInvalidArgument, with the operation's
// number): not such a document, a member that is not known, a key that no record can have.
// kTooLarge: more than kRecordBatchCountMax of them.
Result<std::vector<BatchOperation>> ParseBatch(std::string_view body);

// What became of one operation.
struct BatchResult {
  bool was_present = false;
};
struct BatchOutcome {
  std::vector<BatchResult> results;
  std::optional<std::size_t> failed;  // the operation whose condition does not hold
};

// Runs them in order; each sees what those before it did. With `failed` none has an effect. Errors:
// those of the transaction.
Result<BatchOutcome> RunBatch(Transaction& transaction, const Collection& collection,
                              const std::vector<BatchOperation>& operations);

}  // namespace switchback
