#include "migration/history_record.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/clock.hpp"
#include "migration/utc.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Text(const Json& detail, const char* name) {
  const auto found = detail.find(name);
  return found != detail.end() && found->is_string() ? found->get<std::string>() : "";
}

// The first of these that is a number, or null.
Json Number(const Json& detail, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto found = detail.find(name);
    if (found != detail.end() && found->is_number()) return *found;
  }
  return {};
}

Json DetailOf(const OperationRecord& operation) {
  Json detail = Json::parse(operation.detail, nullptr, false);
  if (detail.is_object()) return detail;
  if (operation.detail.empty()) return Json::object();
  return {{"text", operation.detail}};
}

Json Seconds(const OperationRecord& operation, const Json& detail) {
  if (const Json ms = Number(detail, {"total_ms"}); !ms.is_null()) return ms.get<double>() / 1000;
  if (Json seconds = Number(detail, {"seconds"}); !seconds.is_null()) return seconds;
  const auto begun = ParseUtc(operation.started_at);
  const auto ended = ParseUtc(operation.ended_at);
  if (!begun || !ended) return {};
  return std::chrono::duration<double>(*ended - *begun).count();
}

// What went wrong, in words.
Json Errors(const OperationRecord& operation, const Json& detail) {
  Json errors = Json::array();
  if (const auto found = detail.find("errors"); found != detail.end() && found->is_array()) {
    for (const Json& error : *found)
      errors.push_back(error.is_string() ? error : Json(Dump(error)));
  }
  if (const std::string error = Text(detail, "error"); !error.empty()) errors.push_back(error);
  if (!errors.empty()) return errors;
  for (const OperationStep& step : operation.steps) {
    if (step.status == "failed") errors.push_back(step.name + ": " + step.detail);
  }
  return errors;
}

// Records that a verify found to differ and left as they are.
bool HasDifferences(const Json& detail) {
  return Text(detail, "result") == "differences";
}

std::string VersionText(const Json& number) {
  return number.is_null() ? "" : "version " + number.dump();
}

std::string ShareText(const Json& number) {
  return number.is_null() ? "" : number.dump() + " % unified";
}

struct Passage {
  std::string from, to;
};

// From which version, share or store to which.
Passage PassageOf(const OperationRecord& operation, const Json& detail, const std::string& action) {
  if (operation.kind == "schema")
    return {VersionText(Number(detail, {"version_before"})),
            VersionText(Number(detail, {"version"}))};
  if (detail.contains("percentage_after"))
    return {ShareText(Number(detail, {"percentage_before"})),
            ShareText(Number(detail, {"percentage_after"}))};
  if (operation.kind == "backup" && !Text(detail, "id").empty()) {
    const std::string backup = "backup " + Text(detail, "id");
    const bool is_source = action != "create" && action != "restore";
    return is_source ? Passage{backup, ""} : Passage{"", backup};
  }
  if (operation.kind == "backup" && action == "undo") return {"", "the generation before"};
  return {Text(detail, "from"), Text(detail, "to")};
}

Json Metrics(const OperationRecord& operation, const Json& detail, const std::string& action,
             std::size_t error_count) {
  const Json records = Number(detail, {"records"});
  Json restored = Number(detail, {"records_restored"});
  if (restored.is_null() && action == "restore") restored = records;
  const Json errors = Number(detail, {"errors"});
  const Json attempts = Number(detail, {"attempts"});
  return {{"seconds", Seconds(operation, detail)},
          {"records", records},
          {"records_restored", restored},
          {"bytes", Number(detail, {"bytes"})},
          {"errors", errors.is_null() ? Json(error_count) : errors},
          {"attempts", attempts.is_null() ? Json(1) : attempts}};
}

Json Steps(const OperationRecord& operation) {
  Json steps = Json::array();
  for (const OperationStep& step : operation.steps)
    steps.push_back({{"name", step.name},
                     {"status", step.status},
                     {"started_at", step.started_at},
                     {"ended_at", step.ended_at},
                     {"detail", step.detail}});
  return steps;
}

std::string StatusOf(const OperationRecord& operation, const Json& detail) {
  if (operation.status == "running") return "";
  const std::string said = Text(detail, "final_status");
  if (said == "SUCCESS" || said == "PARTIAL" || said == "FAILED") return said;
  if (operation.status != "done") return "FAILED";
  return Errors(operation, detail).empty() && !HasDifferences(detail) ? "SUCCESS" : "PARTIAL";
}

}  // namespace

std::string FinalStatus(const OperationRecord& operation) {
  return StatusOf(operation, DetailOf(operation));
}

std::string OperationHistoryJson(const OperationRecord& operation) {
  Json detail = DetailOf(operation);
  const std::string action = Text(detail, "operation");
  const Passage passage = PassageOf(operation, detail, action);
  const Json errors = Errors(operation, detail);
  Json json{{"operation", operation.id},
            {"kind", operation.kind},
            {"action", action},
            {"actor", operation.actor},
            {"reason", operation.reason},
            {"state", operation.status},
            {"status", StatusOf(operation, detail)},
            {"started_at", operation.started_at},
            {"ended_at", operation.ended_at},
            {"from", passage.from},
            {"to", passage.to},
            {"evidence", Text(detail, "evidence")},
            {"metrics", Metrics(operation, detail, action, errors.size())},
            {"errors", errors},
            {"steps", Steps(operation)},
            {"detail", std::move(detail)}};
  std::string text = Dump(json);
  if (text.size() <= kHistoryJsonBytesMax) return text;
  json["is_shortened"] = true;
  for (const char* name : {"detail", "steps", "errors", "reason"}) json.erase(name);
  return Dump(json);
}

std::string AuditHistoryJson(const AuditEntry& entry) {
  return Dump(Json{{"audit", entry.id},
                   {"actor", entry.actor},
                   {"action", entry.action},
                   {"detail", entry.detail}});
}

std::string NoteHistoryJson(const OperationNote& note) {
  return Dump(Json{{"operation", note.operation},
                   {"note", note.kind},
                   {"actor", note.actor},
                   {"text", note.text}});
}

bool IsNoteKind(std::string_view kind) {
  return kind == "note" || kind == "root-cause" || kind == "lesson";
}

}  // namespace switchback
