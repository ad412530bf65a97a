#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/limits.hpp"
#include "common/log.hpp"
#include "flags/explain.hpp"
#include "flags/flag_file.hpp"
#include "flags/flag_json.hpp"
#include "flags/share.hpp"
#include "flags/strict_json.hpp"
#include "server/http/body.hpp"
#include "server/http/handlers.hpp"
#include "server/http/json_response.hpp"
#include "server/http/problem.hpp"
#include "server/http/query.hpp"
#include "server/http/status_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

// The rule as configured, and how it stands: for the unified flag what is asked for and what is in
// effect can differ, for others there is no difference.
double EffectivePercentage(const std::string& name, double share, const RoutingStatus& routing) {
  if (name == kUnifiedFlagName) return routing.effective_percentage;
  const auto override = routing.overrides.find(
      name.starts_with(kOverridePrefix) ? name.substr(kOverridePrefix.size()) : std::string());
  return override == routing.overrides.end() ? share : override->second;
}

Json FlagJson(const std::string& name, const FlagRule& rule, std::uint64_t revision,
              const RoutingStatus& routing) {
  Json document{{"name", name}};
  document.update(Json::parse(FlagRuleToJson(rule), nullptr, false));
  const bool is_routed = name == kUnifiedFlagName || name.starts_with(kOverridePrefix);
  const double share = static_cast<double>(rule.share()) / 1000;
  document["desired_percentage"] = share;
  document["effective_percentage"] = EffectivePercentage(name, share, routing);
  document["is_refused"] = is_routed && routing.is_refused;
  document["reason"] = is_routed ? routing.reason : "";
  document["revision"] = revision;
  return document;
}

// The flags to show: those of the file, and the unified flag whether it is in the file or not.
FlagMap ShownFlags(const FlagSnapshot& snapshot) {
  FlagMap flags = snapshot.flags;
  flags.try_emplace(std::string(kUnifiedFlagName), snapshot.unified());
  return flags;
}

HttpResponse AnswerFlag(const ControlPlaneParts& parts, const std::string& name) {
  const auto snapshot = parts.service.flags().Current();
  const FlagMap flags = ShownFlags(*snapshot);
  const auto flag = flags.find(name);
  if (flag == flags.end())
    return ProblemResponse(404, "not-found", "the flags file names no flag " + Printable(name));
  return JsonResponse(
      FlagJson(name, flag->second, snapshot->revision, parts.service.GetStatus().routing));
}

struct FlagRequest {
  FlagChange change;
  std::string reason;
  std::string actor;
  bool is_unverified_allowed = false;
};

Result<FlagRequest> ParseFlagRequest(const std::string& body) {
  auto document = ParseBody(body, {"enabled", "percentage", "reason", "actor", "allow_unverified"});
  if (!document) return Fail(document.error());
  const Json enabled = document->value("enabled", Json());
  if (!enabled.is_boolean())
    return Fail(ErrorCode::kInvalidArgument, "body: \"enabled\" must be true or false");
  FlagRequest request;
  request.change.enabled = enabled.get<bool>();
  if (document->contains("percentage")) {
    const Json& percentage = (*document)["percentage"];
    if (!percentage.is_number())
      return Fail(ErrorCode::kInvalidArgument, "body: \"percentage\" must be a number");
    request.change.percentage = percentage.get<double>();
  }
  SB_RETURN_IF_ERROR(TakeText(*document, "reason", request.reason));
  SB_RETURN_IF_ERROR(TakeText(*document, "actor", request.actor));
  SB_RETURN_IF_ERROR(TakeFlag(*document, "allow_unverified", request.is_unverified_allowed));
  return request;
}

// The rule that the file would hold after `change`, to ask about it before the file is touched.
Result<FlagRule> RuleAfter(const FlagMap& flags, const std::string& name,
                           const FlagChange& change) {
  const auto current = flags.find(name);
  FlagSettings settings;
  settings.salt = name;
  if (current != flags.end()) {
    settings.share = current->second.configured_share();
    settings.salt = current->second.salt();
    settings.allow = current->second.allow();
    settings.deny = current->second.deny();
  }
  settings.enabled = change.enabled;
  if (change.enabled) settings.share = kShareTotal;
  if (change.percentage) {
    auto share = ShareFromPercentage(*change.percentage);
    if (!share) return Fail(share.error());
    settings.share = *share;
  }
  return FlagRule(std::move(settings));
}

// Why the change must not be made, or nullopt.
std::optional<HttpResponse> RefuseChange(const ControlPlaneParts& parts, const std::string& name,
                                         const FlagChange& change) {
  auto flags = LoadFlagFile(parts.identity.flags_path);
  if (!flags && flags.error().code != ErrorCode::kNotFound)
    return ProblemResponse(
        409, "flags-file-invalid",
        "the flags file is left alone, correct it first: " + flags.error().message);
  auto rule = RuleAfter(flags ? *flags : FlagMap{}, name, change);
  if (!rule) return ProblemResponse(rule.error());
  if (name != kUnifiedFlagName && !name.starts_with(kOverridePrefix)) return std::nullopt;
  const Status may_apply = parts.service.MayApply(*rule);
  if (may_apply) return std::nullopt;
  if (may_apply.error().code != ErrorCode::kRefused) return ProblemResponse(may_apply.error());
  return ProblemResponse(409, "flip-refused", may_apply.error().message);
}

// "NAME true at 25 %: why".
std::string TextOf(const std::string& name, const FlagRequest& request) {
  return fmt::format(
      "{} {}{}{}", name, request.change.enabled,
      request.change.percentage ? fmt::format(" at {} %", *request.change.percentage) : "",
      request.reason.empty() ? "" : ": " + request.reason);
}

// The flag must turn also where the journal cannot be written.
void NoteChange(const ControlPlaneParts& parts, const std::string& actor, const std::string& what) {
  if (parts.journal == nullptr) return;
  if (auto noted = parts.journal->Audit(actor, "flag.set", what); !noted)
    LogWarning("the journal does not tell of the flag: {}", noted.error().message);
}

// Whether that store may answer for the collection; "" = for one that both hold.
bool Serves(const FollowerStatus& follower, const std::string& collection) {
  const auto& held = follower.collections;
  return follower.state == FollowerState::kInSync &&
         (collection.empty() || held.empty() ||
          std::find(held.begin(), held.end(), collection) != held.end());
}

// Which store answers for a key that the flag sends to `asked`, and why it is not that one.
Json AnsweringJson(const ServiceStatus& status, Role asked, const std::string& collection) {
  const bool is_held_back = status.routing.is_refused && asked == Role::kUnified;
  const Role desired = is_held_back ? Role::kLegacy : asked;
  const bool is_served = Serves(status.followers[Index(desired)], collection);
  const bool is_other = !is_served && Serves(status.followers[Index(Other(desired))], collection);
  std::string reason = is_held_back ? status.routing.reason : "";
  if (!is_served) {
    reason = fmt::format("{} is not in sync, or does not hold the collection", RoleName(desired));
    if (!is_other) reason += "; nor is the other one";
  }
  Json json{{"asked_store", RoleName(asked)}, {"store", nullptr}, {"reason", reason}};
  if (is_served || is_other) json["store"] = RoleName(is_served ? desired : Other(desired));
  return json;
}

struct ExplainQuery {
  std::string key;
  std::string collection;
};

Result<ExplainQuery> ParseExplain(const std::string& text) {
  const auto query = ParseQuery(text);
  if (!query) return Fail(query.error());
  ExplainQuery explain;
  for (const auto& [name, value] : *query) {
    if (name != "key" && name != "collection")
      return Fail(ErrorCode::kInvalidArgument, "unknown parameter " + Printable(name));
    (name == "key" ? explain.key : explain.collection) = value;
  }
  if (explain.key.empty() || explain.key.size() > kKeyBytesMax)
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("\"key\" must have 1 to {} bytes, percent-encoded", kKeyBytesMax));
  return explain;
}

}  // namespace

HttpResponse HandleFlagExplain(const ControlPlaneParts& parts, const std::string& name,
                               const std::string& text) {
  const auto query = ParseExplain(text);
  if (!query) return ProblemResponse(query.error());
  const auto snapshot = parts.service.flags().Current();
  const FlagMap flags = ShownFlags(*snapshot);
  // Asked about a record of a collection with a flag of its own, that one is what counts.
  const auto override = flags.find(std::string(kOverridePrefix) + query->collection);
  const auto flag =
      name == kUnifiedFlagName && override != flags.end() ? override : flags.find(name);
  if (flag == flags.end())
    return ProblemResponse(404, "not-found", "the flags file names no flag " + Printable(name));
  const FlagExplanation explanation = ExplainFlag(flag->second, query->key);
  Json document{{"name", flag->first}, {"collection", query->collection}};
  document.update(Json::parse(FlagExplanationToJson(explanation), nullptr, false));
  if (name == kUnifiedFlagName) {
    document.update(AnsweringJson(parts.service.GetStatus(),
                                  explanation.is_on ? Role::kUnified : Role::kLegacy,
                                  query->collection));
  }
  document["revision"] = snapshot->revision;
  return JsonResponse(document);
}

HttpResponse HandleFlagList(const ControlPlaneParts& parts) {
  const auto snapshot = parts.service.flags().Current();
  const RoutingStatus routing = parts.service.GetStatus().routing;
  Json document{{"file", parts.identity.flags_path}};
  document.update(FlagStateJson(*snapshot, parts.watcher.reload_failures()));
  document["flags"] = Json::array();
  for (const auto& [name, rule] : ShownFlags(*snapshot))
    document["flags"].push_back(FlagJson(name, rule, snapshot->revision, routing));
  return JsonResponse(document);
}

HttpResponse HandleFlagGet(const ControlPlaneParts& parts, const std::string& name) {
  return AnswerFlag(parts, name);
}

HttpResponse HandleFlagPut(const ControlPlaneParts& parts, const std::string& name,
                           const std::string& body) {
  auto request = ParseFlagRequest(body);
  if (!request) return ProblemResponse(request.error());
  if (request->is_unverified_allowed) {
    auto allowed = parts.migrator.AllowUnverified(request->actor, request->reason);
    if (!allowed) return ProblemResponse(allowed.error());
  }
  if (auto refusal = RefuseChange(parts, name, request->change)) return *std::move(refusal);
  if (auto set = SetFlagInFile(parts.identity.flags_path, name, request->change); !set)
    return ProblemResponse(set.error());
  const std::string what = TextOf(name, *request);
  LogInfo("flag set over HTTP: {}", Printable(what));
  NoteChange(parts, request->actor, what);
  // Publish now instead of when the watcher notices. If somebody has broken the file in between,
  // the answer is the truth: what is in force.
  if (auto reloaded = parts.watcher.ReloadNow(); !reloaded)
    return ProblemResponse(reloaded.error());
  return AnswerFlag(parts, name);
}

}  // namespace switchback
