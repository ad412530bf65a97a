// Pages of keys in key order: what SCAN and KEYS are made of.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "service/record_reader.hpp"

namespace switchback {

struct KeyPage {
  std::vector<std::string> keys;  // those that match
  std::string last;               // the last key that was looked at; "" = none
  bool is_end = false;            // there are no further keys that could match
};

struct KeyPageRequest {
  std::string_view after;     // keys above this one; "" = from the beginning
  std::string_view pattern;   // glob; "" = everything
  std::size_t count_max = 0;  // records looked at, at least 1
  std::size_t bytes_max = 0;  // key and value bytes looked at, at least one record
};

// Looks at the next records in key order and at no record that the pattern's literal beginning
// rules out. Errors: RecordReader::Scan's.
Result<KeyPage> ReadKeyPage(RecordReader& reader, const Collection& collection,
                            const KeyPageRequest& request);

// The smallest string above everything that begins with `prefix`; "" when there is none.
std::string PrefixSuccessor(std::string_view prefix);

}  // namespace switchback
