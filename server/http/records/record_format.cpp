#include "server/http/records/record_format.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/text.hpp"

namespace switchback {
namespace {

// Type and subtype of one media range, lower case, without parameters.
std::string MediaType(std::string_view text) {
  std::string type(text.substr(0, text.find(';')));
  std::transform(type.begin(), type.end(), type.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  type.erase(0, std::min(type.size(), type.find_first_not_of(" \t")));
  while (type.ends_with(' ') || type.ends_with('\t')) type.pop_back();
  return type;
}

bool IsJsonType(const std::string& type) {
  return type == "application/json" ||
         (type.starts_with("application/") && type.ends_with("+json"));
}

bool IsFormType(const std::string& type) {
  return type == "application/x-www-form-urlencoded" || type == "multipart/form-data";
}

// "q=0" says: not this one. Other weights are ignored, the order counts.
bool IsRefused(std::string_view range) {
  const auto weight = range.find("q=0");
  if (weight == std::string_view::npos) return false;
  return range.find_first_of("123456789", weight + 3) == std::string_view::npos;
}

}  // namespace

Status CheckRecordBody(const HttpRequest& request) {
  const std::string type = MediaType(request.Header("content-type"));
  if (IsFormType(type))
    return Fail(ErrorCode::kUnsupported,
                "a record is not a form: say Content-Type: application/octet-stream, text/plain or "
                "application/json");
  if (IsJsonType(type) && !nlohmann::json::accept(request.body))
    return Fail(ErrorCode::kInvalidArgument, "the body is not JSON, though Content-Type says so");
  if (type.starts_with("text/") && !IsUtf8(request.body))
    return Fail(ErrorCode::kInvalidArgument, "the body is not UTF-8, though Content-Type says so");
  return {};
}

Result<std::string> ChooseContentType(std::string_view accept, std::string_view value) {
  if (accept.empty()) return std::string("application/octet-stream");
  while (!accept.empty()) {
    const std::string_view range = accept.substr(0, accept.find(','));
    accept.remove_prefix(std::min(accept.size(), range.size() + 1));
    if (IsRefused(range)) continue;
    const std::string type = MediaType(range);
    if (type == "*/*" || type == "application/*" || type == "application/octet-stream")
      return std::string("application/octet-stream");
    if ((type == "text/plain" || type == "text/*") && IsUtf8(value))
      return std::string("text/plain; charset=utf-8");
    if (IsJsonType(type) && nlohmann::json::accept(value)) return std::string("application/json");
  }
  return Fail(ErrorCode::kInvalidArgument,
              "the value is not of a type that Accept names; application/octet-stream always is");
}

}  // namespace switchback
