#include <nlohmann/json.hpp>

#include "common/log.hpp"
#include "server/http/body.hpp"
#include "server/http/handlers.hpp"
#include "server/http/json_text.hpp"
#include "server/http/problem.hpp"
#include "server/http/query.hpp"
#include "server/http/verify_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

Error WrongMember(const char* name, const char* what) {
  return {ErrorCode::kInvalidArgument, std::string("body: \"") + name + "\" must be " + what};
}

Result<std::uint64_t> ParseRate(const Json& document) {
  if (!document.contains("bytes_per_second")) return std::uint64_t{0};
  const Json& rate = document["bytes_per_second"];
  if (!rate.is_number_unsigned())
    return Fail(WrongMember("bytes_per_second", "a whole number, 0 for no limit"));
  return rate.get<std::uint64_t>();
}

Result<bool> ParseBool(const Json& document, const char* name) {
  if (!document.contains(name)) return false;
  if (!document[name].is_boolean()) return Fail(WrongMember(name, "true or false"));
  return document[name].get<bool>();
}

Result<std::optional<Role>> ParseRepair(const Json& document) {
  if (!document.contains("repair") || document["repair"].is_null()) return std::optional<Role>{};
  for (const Role role : kRoles) {
    if (document["repair"] == RoleName(role)) return std::optional(role);
  }
  return Fail(WrongMember("repair", "\"legacy\" or \"unified\": the role to copy from"));
}

struct StartRequest {
  VerifyOptions options;
  std::string actor;
};

Result<StartRequest> ParseStart(const std::string& body) {
  const auto document = ParseBody(
      body, {"collections", "continuous", "repair", "bytes_per_second", "fresh", "actor"});
  if (!document) return Fail(document.error());
  std::vector<std::string> collections;
  SB_RETURN_IF_ERROR(TakeNames(*document, "collections", collections));
  const auto is_continuous = ParseBool(*document, "continuous");
  if (!is_continuous) return Fail(is_continuous.error());
  const auto is_fresh = ParseBool(*document, "fresh");
  if (!is_fresh) return Fail(is_fresh.error());
  const auto repair = ParseRepair(*document);
  if (!repair) return Fail(repair.error());
  const auto rate = ParseRate(*document);
  if (!rate) return Fail(rate.error());
  const Json actor = document->value("actor", Json(""));
  if (!actor.is_string()) return Fail(WrongMember("actor", "a string"));
  StartRequest request;
  request.options = {std::move(collections), *rate, *is_continuous, *is_fresh, *repair};
  request.actor = actor.get<std::string>();
  if (request.actor.empty()) request.actor = "http";
  return request;
}

HttpResponse StatusResponse(const Verifier& verifier, unsigned status = 200) {
  HttpResponse response;
  response.status = status;
  response.body = JsonText(VerifyJson(verifier.GetStatus()));
  return response;
}

HttpResponse NoVerifier() {
  return ProblemResponse(503, "unavailable", "this server was started without a verifier");
}

}  // namespace

HttpResponse HandleVerifyGet(const ControlPlaneParts& parts) {
  return parts.verifier == nullptr ? NoVerifier() : StatusResponse(*parts.verifier);
}

HttpResponse HandleVerifyStart(const ControlPlaneParts& parts, const std::string& body) {
  if (parts.verifier == nullptr) return NoVerifier();
  auto request = ParseStart(body);
  if (!request) return ProblemResponse(request.error());
  auto started = parts.verifier->Start(std::move(request->options), request->actor);
  if (!started) return ProblemResponse(started.error());
  LogInfo("verify started by {}", request->actor);
  return StatusResponse(*parts.verifier, 202);
}

HttpResponse HandleVerifyCancel(const ControlPlaneParts& parts, const std::string& body) {
  if (parts.verifier == nullptr) return NoVerifier();
  if (auto document = ParseBody(body, {"actor"}); !document)
    return ProblemResponse(document.error());
  if (auto cancelled = parts.verifier->Cancel(); !cancelled)
    return ProblemResponse(cancelled.error());
  return StatusResponse(*parts.verifier, 202);
}

HttpResponse HandleVerifyRate(const ControlPlaneParts& parts, const std::string& body) {
  if (parts.verifier == nullptr) return NoVerifier();
  const auto document = ParseBody(body, {"bytes_per_second"});
  if (!document) return ProblemResponse(document.error());
  const auto rate = ParseRate(*document);
  if (!rate) return ProblemResponse(rate.error());
  if (auto set = parts.verifier->SetRate(*rate); !set) return ProblemResponse(set.error());
  return StatusResponse(*parts.verifier);
}

HttpResponse HandleVerifyDifferences(const ControlPlaneParts& parts, const std::string& query) {
  if (parts.verifier == nullptr) return NoVerifier();
  const auto page = ParsePage(query);
  if (!page) return ProblemResponse(page.error());
  const auto differences =
      parts.verifier->Differences(page->after_collection, page->after_key, page->limit);
  if (!differences) return ProblemResponse(differences.error());
  Json document{{"differences", Json::array()}, {"next", nullptr}};
  for (const NamedDifference& difference : *differences)
    document["differences"].push_back(DifferenceJson(difference));
  if (differences->size() == page->limit) {
    const NamedDifference& last = differences->back();
    document["next"] = NextPage("/v1/verify/differences", {last.collection, last.key, page->limit});
  }
  HttpResponse response;
  response.body = JsonText(document);
  return response;
}

}  // namespace switchback
