#include <nlohmann/json.hpp>

#include "common/log.hpp"
#include "server/http/body.hpp"
#include "server/http/handlers.hpp"
#include "server/http/json_response.hpp"
#include "server/http/json_text.hpp"
#include "server/http/problem.hpp"
#include "server/http/query_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kActorBytesMax = 256;
constexpr std::size_t kReasonBytesMax = 4096;

HttpResponse NoSchema() {
  return ProblemResponse(503, "unavailable", "this server has no schema to speak of");
}

// The member's text, "" when it is not there.
Result<std::string> ParseText(const Json& document, const char* name, std::size_t bytes_max) {
  if (!document.contains(name)) return std::string();
  const Json& value = document[name];
  if (value.is_string() && value.get_ref<const std::string&>().size() <= bytes_max)
    return value.get<std::string>();
  return Fail(ErrorCode::kInvalidArgument, std::string("body: \"") + name +
                                               "\" must be a string of at most " +
                                               std::to_string(bytes_max) + " bytes");
}

Status ParseActor(const Json& document, SchemaRequest& request) {
  auto actor = ParseText(document, "actor", kActorBytesMax);
  if (!actor) return Fail(actor.error());
  auto reason = ParseText(document, "reason", kReasonBytesMax);
  if (!reason) return Fail(reason.error());
  request.actor = actor->empty() ? "http" : *actor;
  request.reason = *reason;
  return {};
}

// `member` names the number of the goal; without it `otherwise`, or an error when there is none.
Result<SchemaRequest> ParseRequest(const std::string& body, SchemaGoalKind kind,
                                   const std::string& member,
                                   std::optional<std::uint64_t> otherwise) {
  auto document = ParseBody(body, {member, "actor", "reason"});
  if (!document) return Fail(document.error());
  SchemaRequest request;
  request.goal.kind = kind;
  SB_RETURN_IF_ERROR(ParseActor(*document, request));
  const bool is_given = document->contains(member);
  if (is_given && (*document)[member].is_number_unsigned())
    otherwise = (*document)[member].get<std::uint64_t>();
  if (!otherwise || (is_given && !(*document)[member].is_number_unsigned()))
    return Fail(ErrorCode::kInvalidArgument, "body: \"" + member + "\" must be a whole number");
  request.goal.number = *otherwise;
  return request;
}

Json OutcomeJson(const SchemaOutcome& outcome) {
  Json steps = Json::array();
  for (const SchemaStepResult& step : outcome.steps)
    steps.push_back({{"name", step.name}, {"status", step.status}, {"copy", step.copy}});
  Json checks = Json::array();
  for (const StoreCheck& check : outcome.report.checks)
    checks.push_back({{"name", check.name}, {"is_ok", check.is_ok}, {"detail", check.detail}});
  return {{"operation", outcome.operation},
          {"version_before", outcome.version_before},
          {"version", outcome.version},
          {"steps", std::move(steps)},
          {"validation", std::move(checks)}};
}

// An operation that began and failed has its own kind, but for a refusal, which is one. Either way
// what came of it is in the document.
HttpResponse Answer(const Result<SchemaOutcome>& outcome) {
  if (!outcome) return ProblemResponse(outcome.error());
  const Json document = OutcomeJson(*outcome);
  if (!outcome->error) return JsonResponse(document);
  const std::string detail =
      outcome->error->message + " (the store has version " + std::to_string(outcome->version) + ")";
  HttpResponse response = outcome->error->code == ErrorCode::kRefused
                              ? ProblemResponse(Error{ErrorCode::kRefused, detail})
                              : ProblemResponse(422, "schema-failed", detail);
  Json problem = Json::parse(response.body, nullptr, false);
  problem.update(document);
  response.body = JsonText(problem);
  return response;
}

HttpResponse Run(const ControlPlaneParts& parts, const Result<SchemaRequest>& request) {
  if (parts.schema == nullptr) return NoSchema();
  if (!request) return ProblemResponse(request.error());
  return Answer(parts.schema->Run(*request));
}

}  // namespace

HttpResponse HandleSchemaGet(const ControlPlaneParts& parts) {
  if (parts.schema == nullptr) return NoSchema();
  const auto status = parts.schema->GetStatus();
  if (!status) return ProblemResponse(status.error());
  Json versions = Json::array();
  for (const SchemaVersionStatus& version : status->versions) {
    versions.push_back({{"version", version.version},
                        {"name", version.name},
                        {"state", version.state},
                        {"applied_at", version.applied_at}});
  }
  return JsonResponse({{"version", status->version},
                       {"directory", status->directory},
                       {"versions", std::move(versions)},
                       {"problems", status->problems},
                       {"running", status->running},
                       {"copies", status->copies}});
}

HttpResponse HandleSchemaUp(const ControlPlaneParts& parts, const std::string& body) {
  return Run(parts, ParseRequest(body, SchemaGoalKind::kUp, "count", 0));
}

HttpResponse HandleSchemaDown(const ControlPlaneParts& parts, const std::string& body) {
  return Run(parts, ParseRequest(body, SchemaGoalKind::kDown, "count", 1));
}

HttpResponse HandleSchemaTo(const ControlPlaneParts& parts, const std::string& body) {
  return Run(parts, ParseRequest(body, SchemaGoalKind::kTo, "version", std::nullopt));
}

HttpResponse HandleSchemaValidate(const ControlPlaneParts& parts, const std::string& body) {
  if (parts.schema == nullptr) return NoSchema();
  auto document = ParseBody(body, {"actor", "reason"});
  if (!document) return ProblemResponse(document.error());
  SchemaRequest request;
  if (auto parsed = ParseActor(*document, request); !parsed) return ProblemResponse(parsed.error());
  return Answer(parts.schema->Validate(request.actor, request.reason));
}

HttpResponse HandleQuery(const ControlPlaneParts& parts, const HttpRequest& request) {
  if (parts.queries == nullptr) return NoSchema();
  auto query = ParseQuery(request.body);
  if (!query) return ProblemResponse(query.error());
  const auto result = parts.queries->Run(std::move(query->query), query->time_max, query->is_fresh);
  if (!result) return ProblemResponse(result.error());
  HttpResponse response;
  response.headers = {{"Switchback-Applied-Sequence", std::to_string(result->applied_sequence)},
                      {"Switchback-Is-Truncated", result->is_truncated ? "true" : "false"}};
  const bool is_ndjson =
      request.Header("accept").find("application/x-ndjson") != std::string_view::npos;
  if (is_ndjson) response.content_type = "application/x-ndjson";
  response.body = is_ndjson ? QueryNdjson(*result) : QueryJson(*result);
  return response;
}

}  // namespace switchback
