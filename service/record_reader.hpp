// What can be read, whoever reads: a Session (outside of writes) or a Transaction (inside one).
// Commands are written once against it.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/collection.hpp"
#include "common/result.hpp"

namespace switchback {

// One thread at a time. A collection that does not exist is empty.
class RecordReader {
 public:
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;  // false stops
  virtual ~RecordReader() = default;

  // The value, or nullopt when absent. The view is valid until the next call on this reader.
  // Errors: kUnavailable (no store can answer), kIo, kCorruption (both stores failed).
  virtual Result<std::optional<std::string_view>> Get(const Collection& collection,
                                                      std::string_view key) = 0;

  // The values of several keys at one point in time (I4), in the order asked.
  virtual Result<std::vector<std::optional<std::string>>> MultiGet(
      const Collection& collection, std::span<const std::string_view> keys) = 0;

  // Visits the records with key >= `from` in bytewise key order, at one point in time, until the
  // visitor returns false. The visitor must not call this reader. A visit holds a snapshot: stop
  // after a bounded number of records.
  virtual Status Scan(const Collection& collection, std::string_view from,
                      const Visitor& visit) = 0;

  // Number of records. Exact; costs O(memtable) lookups, and in SQLite a pass over the table.
  virtual Result<std::uint64_t> Count(const Collection& collection) = 0;
};

}  // namespace switchback
