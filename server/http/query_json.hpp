// Queries as JSON: the body of POST /v1/query, and its two forms of answer.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "backends/sql_store.hpp"

namespace switchback {

struct QueryRequest {
  SqlQuery query;
  std::chrono::milliseconds time_max;
  bool is_fresh = true;
};

// {"sql", "parameters"?: [...] or {...}, "rows_max"?, "timeout_ms"?, "is_fresh"?}. A parameter is a
// JSON value, {"base64": "..."} for any bytes or {"blob": "..."} for the bytes of a text. Errors:
// kInvalidArgument with the member.
Result<QueryRequest> ParseQuery(const std::string& body);

// Text and BLOBs that are UTF-8 as strings, other bytes as {"base64": "..."}.
nlohmann::ordered_json SqlValueJson(const SqlValue& value);

// {"columns", "rows": [[...]], "is_truncated", "applied_sequence"}.
std::string QueryJson(const SqlResult& result);
// One object a row and line. A column name that is there already gets a number: "x", "x_2".
std::string QueryNdjson(const SqlResult& result);

}  // namespace switchback
