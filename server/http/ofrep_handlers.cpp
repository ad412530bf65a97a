// OFREP, the OpenFeature Remote Evaluation Protocol (source: github.com/open-feature/protocol,
// service/openapi.yaml 0.3.0): what the flags say, for applications that speak OpenFeature.
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "flags/flag_evaluation.hpp"
#include "flags/strict_json.hpp"
#include "rollback/latch.hpp"
#include "server/http/handlers.hpp"
#include "server/http/json_response.hpp"
#include "server/http/records/preconditions.hpp"
#include "server/safety.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

struct OfrepError {
  unsigned status = 400;
  const char* code = "GENERAL";
  std::string details;
};

HttpResponse ErrorResponse(const OfrepError& error, const std::string& key) {
  Json json = Json::object();
  if (!key.empty()) json["key"] = Printable(key);
  json["errorCode"] = error.code;
  json["errorDetails"] = error.details;
  return JsonResponse(json, error.status);
}

tl::expected<Json, OfrepError> ParseContext(const std::string& body) {
  if (body.empty()) return Json::object();
  auto document = ParseStrictJson(body);
  if (!document) return tl::unexpected(OfrepError{400, "PARSE_ERROR", document.error().message});
  if (!document->is_object())
    return tl::unexpected(OfrepError{400, "PARSE_ERROR", "the body must be a JSON object"});
  Json context = document->value("context", Json());
  if (context.is_null()) return Json::object();
  if (!context.is_object())
    return tl::unexpected(OfrepError{400, "INVALID_CONTEXT", "\"context\" must be an object"});
  if (context.contains("targetingKey") && !context["targetingKey"].is_string())
    return tl::unexpected(OfrepError{400, "INVALID_CONTEXT", "\"targetingKey\" must be a string"});
  return context;
}

// What is in force beside the flags, at one moment.
struct Scene {
  std::shared_ptr<const FlagSnapshot> flags;
  RoutingStatus routing;
  std::optional<Latched> latched;
  std::int64_t unix_seconds = std::time(nullptr);
};

Scene Look(const ControlPlaneParts& parts) {
  Scene scene{parts.service.flags().Current(), parts.service.GetStatus().routing, {}};
  if (parts.safety != nullptr) scene.latched = parts.safety->latch().Current();
  return scene;
}

bool IsRouting(const std::string& name) {
  return name == kUnifiedFlagName || name.starts_with(kOverridePrefix);
}

bool IsHeld(const std::string& name, const Scene& scene) {
  return IsRouting(name) && (scene.latched || scene.routing.is_refused);
}

Json MetadataOf(const std::string& name, const FlagRule& rule, const Scene& scene) {
  Json metadata = Json::object();
  if (rule.flagd() != nullptr) metadata.update(rule.flagd()->definition().metadata);
  metadata["revision"] = scene.flags->revision;
  if (!IsHeld(name, scene)) return metadata;
  metadata["guard"] = scene.latched ? "tripped" : "refused";
  metadata["guardReason"] = scene.latched ? scene.latched->reason : scene.routing.reason;
  return metadata;
}

tl::expected<Json, OfrepError> Evaluate(const std::string& name, const FlagRule& rule,
                                        const Json& context, const Scene& scene) {
  Json json{{"key", name}};
  if (IsHeld(name, scene)) {
    // What the file asks for is not in force: every key is on legacy.
    json.update({{"value", false}, {"variant", "off"}, {"reason", "DISABLED"}});
  } else {
    const bool has_key = context.contains("targetingKey") && context["targetingKey"] != "";
    if (!has_key && NeedsTargetingKey(name, rule))
      return tl::unexpected(OfrepError{400, "TARGETING_KEY_MISSING",
                                       "the flag is on for a share of keys: context.targetingKey "
                                       "says which key is meant"});
    auto evaluation = EvaluateFlag(name, rule, context, scene.unix_seconds);
    if (!evaluation) {
      const bool is_broken = evaluation.error().code == ErrorCode::kCorruption;
      return tl::unexpected(
          OfrepError{400, is_broken ? "PARSE_ERROR" : "GENERAL", evaluation.error().message});
    }
    // A flag of ours that the caller is left to decide is off: so it is for the service.
    if (!evaluation->value && IsRouting(name)) evaluation->value = false;
    if (evaluation->value) json["value"] = *evaluation->value;
    if (!evaluation->variant.empty()) json["variant"] = evaluation->variant;
    json["reason"] = EvaluationReasonName(evaluation->reason);
  }
  json["metadata"] = MetadataOf(name, rule, scene);
  return json;
}

}  // namespace

HttpResponse HandleOfrepFlag(const ControlPlaneParts& parts, const std::string& name,
                             const std::string& body) {
  const Scene scene = Look(parts);
  const auto context = ParseContext(body);
  if (!context) return ErrorResponse(context.error(), name);
  const auto flag = scene.flags->flags.find(name);
  const bool is_known = flag != scene.flags->flags.end() || name == kUnifiedFlagName;
  if (!is_known)
    return ErrorResponse({404, "FLAG_NOT_FOUND", "the flags file names no flag " + Printable(name)},
                         name);
  const FlagRule& rule = flag == scene.flags->flags.end() ? scene.flags->unified() : flag->second;
  auto evaluated = Evaluate(name, rule, *context, scene);
  return evaluated ? JsonResponse(*evaluated) : ErrorResponse(evaluated.error(), name);
}

HttpResponse HandleOfrepFlags(const ControlPlaneParts& parts, const HttpRequest& request) {
  const Scene scene = Look(parts);
  const auto context = ParseContext(request.body);
  if (!context) return ErrorResponse(context.error(), "");
  FlagMap flags = scene.flags->flags;
  flags.try_emplace(std::string(kUnifiedFlagName));
  Json document{{"flags", Json::array()}};
  for (const auto& [name, rule] : flags) {
    auto evaluated = Evaluate(name, rule, *context, scene);
    document["flags"].push_back(evaluated ? *std::move(evaluated)
                                          : Json{{"key", name},
                                                 {"errorCode", evaluated.error().code},
                                                 {"errorDetails", evaluated.error().details}});
  }
  document["metadata"] = {{"revision", scene.flags->revision}};
  HttpResponse response = JsonResponse(document);
  // Of the answer, which holds the revision and what the guard says, and of what was asked.
  const std::string state =
      response.body + context->dump(-1, ' ', false, Json::error_handler_t::replace);
  const auto asked = Preconditions::Parse("", request.Header("if-none-match"));
  if (!asked) return ErrorResponse({400, "GENERAL", asked.error().message}, "");
  if (asked->IsNotModified(state)) {
    response.status = 304;
    response.body.clear();
  }
  response.headers.emplace_back("ETag", EntityTagOf(state));
  return response;
}

}  // namespace switchback
