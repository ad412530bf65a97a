#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "server/http/body.hpp"
#include "server/http/handlers.hpp"
#include "server/http/history_export.hpp"
#include "server/http/history_json.hpp"
#include "server/http/json_response.hpp"
#include "server/http/problem.hpp"
#include "server/http/query.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

HttpResponse NoHistory() {
  return ProblemResponse(503, "unavailable", "this server keeps no history");
}

HttpResponse Answer(const Result<Json>& document) {
  if (!document) return ProblemResponse(document.error());
  return JsonResponse(*document);
}

// A whole number from 1 on.
std::optional<std::int64_t> ParseNumber(std::string_view text) {
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || number < 1)
    return std::nullopt;
  return number;
}

struct ListRequest {
  HistoryQuery query;
  std::string format;
};

Result<ListRequest> ParseList(const HttpRequest& request) {
  const auto parameters = ParseQuery(request.query);
  if (!parameters) return Fail(parameters.error());
  ListRequest list;
  const std::string_view accept = request.Header("accept");
  if (accept.find("text/csv") != std::string_view::npos) list.format = "csv";
  if (accept.find("text/markdown") != std::string_view::npos) list.format = "markdown";
  for (const auto& [name, value] : *parameters) {
    const auto number = ParseNumber(value);
    if (name == "kind") {
      list.query.kind = value;
    } else if (name == "limit" && number && *number <= std::int64_t{kHistoryPageMax}) {
      list.query.count_max = static_cast<std::size_t>(*number);
    } else if (name == "before" && number) {
      list.query.before = *number;
    } else if (name == "format" && (value == "json" || value == "markdown" || value == "csv")) {
      list.format = value;
    } else {
      return Fail(ErrorCode::kInvalidArgument,
                  "query: \"" + name + "=" + value + "\": kind, limit (1 to " +
                      std::to_string(kHistoryPageMax) +
                      "), before (an entry's number) and format (json, markdown, csv) are known");
    }
  }
  return list;
}

// The member's text of at most `bytes_max`, what is there already when it is absent.
Status TakeLongText(const Json& document, const char* name, std::size_t bytes_max,
                    std::string& text) {
  if (!document.contains(name)) return {};
  if (!document[name].is_string() ||
      document[name].get_ref<const std::string&>().size() > bytes_max)
    return Fail(ErrorCode::kInvalidArgument, std::string("body: \"") + name +
                                                 "\" must be a string of at most " +
                                                 std::to_string(bytes_max) + " bytes");
  text = document[name].get<std::string>();
  return {};
}

Result<OperationNote> ParseNote(std::int64_t operation, const std::string& body) {
  auto document = ParseBody(body, {"text", "kind", "actor"});
  if (!document) return Fail(document.error());
  OperationNote note;
  note.operation = operation;
  note.actor = "http";
  SB_RETURN_IF_ERROR(TakeLongText(*document, "text", kNoteBytesMax, note.text));
  SB_RETURN_IF_ERROR(TakeText(*document, "kind", note.kind));
  SB_RETURN_IF_ERROR(TakeText(*document, "actor", note.actor));
  return note;
}

HttpResponse NoNumber(const std::string& id) {
  return ProblemResponse(
      {ErrorCode::kInvalidArgument, "\"" + id + "\" is not the number of an operation"});
}

}  // namespace

HttpResponse HandleHistoryList(const ControlPlaneParts& parts, const HttpRequest& request) {
  if (parts.journal == nullptr) return NoHistory();
  const auto list = ParseList(request);
  if (!list) return ProblemResponse(list.error());
  const auto page = HistoryPageJson(*parts.journal, list->query);
  if (!page || (list->format != "csv" && list->format != "markdown")) return Answer(page);
  HttpResponse response;
  const bool is_csv = list->format == "csv";
  response.content_type = is_csv ? "text/csv; charset=utf-8" : "text/markdown; charset=utf-8";
  response.body = is_csv ? HistoryCsv(*page) : HistoryMarkdown(*page);
  return response;
}

HttpResponse HandleHistoryVerify(const ControlPlaneParts& parts, const std::string& query) {
  if (parts.journal == nullptr) return NoHistory();
  const auto parameters = ParseQuery(query);
  if (!parameters) return ProblemResponse(parameters.error());
  std::string head;
  for (const auto& [name, value] : *parameters) {
    if (name != "head")
      return ProblemResponse({ErrorCode::kInvalidArgument, "unknown parameter " + name});
    head = value;
  }
  return Answer(HistoryVerdictJson(*parts.journal, head));
}

HttpResponse HandleHistoryShow(const ControlPlaneParts& parts, const std::string& id) {
  if (parts.journal == nullptr) return NoHistory();
  const auto number = ParseNumber(id);
  if (!number) return NoNumber(id);
  return Answer(HistoryOperationJson(*parts.journal, *number));
}

HttpResponse HandleHistoryNote(const ControlPlaneParts& parts, const std::string& id,
                               const std::string& body) {
  if (parts.journal == nullptr) return NoHistory();
  const auto operation = ParseNumber(id);
  if (!operation) return NoNumber(id);
  const auto note = ParseNote(*operation, body);
  if (!note) return ProblemResponse(note.error());
  const auto number = parts.journal->AddNote(*note);
  if (!number) return ProblemResponse(number.error());
  return Answer(Json{{"number", *number}, {"operation", *operation}});
}

}  // namespace switchback
