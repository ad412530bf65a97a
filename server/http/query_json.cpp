#include "server/http/query_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "migration/schema/sql_queries.hpp"
#include "server/http/body.hpp"
#include "server/http/json_text.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

tl::unexpected<Error> Wrong(const std::string& what) {
  return Fail(ErrorCode::kInvalidArgument, "body: " + what);
}

Result<SqlValue> ParseBlob(const Json& value) {
  const auto first = value.begin();
  const std::string& kind = first.key();
  const Json& content = first.value();
  if (value.size() == 1 && content.is_string()) {
    const auto& text = content.get_ref<const std::string&>();
    if (kind == "blob") return SqlValue(SqlBlob{text});
    auto bytes = kind == "base64" ? DecodeBase64(text) : std::nullopt;
    if (bytes) return SqlValue(SqlBlob{*std::move(bytes)});
  }
  return Wrong("a parameter that is an object is {\"base64\": \"...\"} or {\"blob\": \"...\"}");
}

Result<SqlValue> ParseValue(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null: return SqlValue();
    case Json::value_t::boolean: return SqlValue(std::int64_t{value.get<bool>() ? 1 : 0});
    case Json::value_t::number_integer: return SqlValue(value.get<std::int64_t>());
    case Json::value_t::number_unsigned:
      if (value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
        return Wrong("a number in \"parameters\" is larger than SQLite's integers");
      return SqlValue(value.get<std::int64_t>());
    case Json::value_t::number_float: return SqlValue(value.get<double>());
    case Json::value_t::string: return SqlValue(value.get<std::string>());
    case Json::value_t::object:
      if (!value.empty()) return ParseBlob(value);
      [[fallthrough]];
    default:
      return Wrong("a parameter is null, a number, a string, true, false or an object for bytes");
  }
}

Status ParseParameters(const Json& parameters, SqlQuery& query) {
  if (!parameters.is_array() && !parameters.is_object())
    return Wrong("\"parameters\" must be a list, or an object of names");
  for (const auto& [name, one] : parameters.items()) {
    auto value = ParseValue(one);
    if (!value) return Fail(value.error());
    if (parameters.is_array()) {
      query.positional.push_back(*std::move(value));
    } else {
      query.named.emplace_back(name, *std::move(value));
    }
  }
  return {};
}

// A whole number from 1 to `most`; `otherwise` when it is not there.
Result<std::uint64_t> ParseLimit(const Json& document, const char* name, std::uint64_t otherwise,
                                 std::uint64_t most) {
  if (!document.contains(name)) return otherwise;
  const Json& value = document[name];
  if (value.is_number_unsigned() && value.get<std::uint64_t>() >= 1 &&
      value.get<std::uint64_t>() <= most)
    return value.get<std::uint64_t>();
  return Wrong(std::string("\"") + name + "\" must be a whole number from 1 to " +
               std::to_string(most));
}

std::vector<std::string> UniqueNames(const std::vector<std::string>& columns) {
  std::vector<std::string> names;
  for (const std::string& column : columns) {
    std::string name = column;
    for (int number = 2; std::find(names.begin(), names.end(), name) != names.end(); ++number)
      name = column + "_" + std::to_string(number);
    names.push_back(std::move(name));
  }
  return names;
}

Json BytesJson(const std::string& bytes) {
  if (IsUtf8(bytes)) return bytes;
  return Json{{"base64", EncodeBase64(bytes)}};
}

}  // namespace

Result<QueryRequest> ParseQuery(const std::string& body) {
  auto document = ParseBody(body, {"sql", "parameters", "rows_max", "timeout_ms", "is_fresh"});
  if (!document) return Fail(document.error());
  if (!document->contains("sql") || !(*document)["sql"].is_string())
    return Wrong("\"sql\" must be a string");
  QueryRequest request;
  request.query.sql = (*document)["sql"].get<std::string>();
  if (document->contains("parameters"))
    SB_RETURN_IF_ERROR(ParseParameters((*document)["parameters"], request.query));
  auto rows = ParseLimit(*document, "rows_max", request.query.row_count_max, kQueryRowCountMax);
  if (!rows) return Fail(rows.error());
  request.query.row_count_max = *rows;
  auto time =
      ParseLimit(*document, "timeout_ms", static_cast<std::uint64_t>(kQueryTimeDefault.count()),
                 static_cast<std::uint64_t>(kQueryTimeMax.count()));
  if (!time) return Fail(time.error());
  request.time_max = std::chrono::milliseconds(*time);
  if (document->contains("is_fresh")) {
    if (!(*document)["is_fresh"].is_boolean()) return Wrong("\"is_fresh\" must be true or false");
    request.is_fresh = (*document)["is_fresh"].get<bool>();
  }
  return request;
}

Json SqlValueJson(const SqlValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* text = std::get_if<std::string>(&value)) return BytesJson(*text);
  if (const auto* blob = std::get_if<SqlBlob>(&value)) return BytesJson(blob->bytes);
  return nullptr;
}

std::string QueryJson(const SqlResult& result) {
  Json rows = Json::array();
  for (const auto& row : result.rows) {
    Json values = Json::array();
    for (const SqlValue& value : row) values.push_back(SqlValueJson(value));
    rows.push_back(std::move(values));
  }
  return JsonText({{"columns", result.columns},
                   {"rows", std::move(rows)},
                   {"is_truncated", result.is_truncated},
                   {"applied_sequence", result.applied_sequence}});
}

std::string QueryNdjson(const SqlResult& result) {
  const std::vector<std::string> names = UniqueNames(result.columns);
  std::string lines;
  for (const auto& row : result.rows) {
    Json object = Json::object();
    for (std::size_t index = 0; index < row.size(); ++index)
      object[names[index]] = SqlValueJson(row[index]);
    lines += JsonText(object);
  }
  return lines;
}

}  // namespace switchback
