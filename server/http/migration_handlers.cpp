#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "server/http/body.hpp"
#include "server/http/handlers.hpp"
#include "server/http/json_response.hpp"
#include "server/http/json_text.hpp"
#include "server/http/problem.hpp"
#include "server/http/query.hpp"
#include "server/http/status_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

HttpResponse Answer(const ControlPlaneParts& parts, unsigned status) {
  return JsonResponse(MigrationJson(parts.migrator.GetStatus()), status);
}

Result<MigrationRequest> ParseStart(const std::string& body) {
  auto document = ParseBody(body, {"actor", "reason", "reverse", "collections", "settings"});
  if (!document) return Fail(document.error());
  MigrationRequest request;
  bool is_reverse = false;
  SB_RETURN_IF_ERROR(TakeText(*document, "actor", request.actor));
  SB_RETURN_IF_ERROR(TakeText(*document, "reason", request.reason));
  SB_RETURN_IF_ERROR(TakeFlag(*document, "reverse", is_reverse));
  SB_RETURN_IF_ERROR(TakeNames(*document, "collections", request.collections));
  if (is_reverse) request.target = Role::kLegacy;
  if (document->contains("settings")) request.settings_json = (*document)["settings"].dump();
  return request;
}

struct Act {
  std::string actor;
  std::string reason;
};

Result<Act> ParseAct(const std::string& body) {
  auto document = ParseBody(body, {"actor", "reason"});
  if (!document) return Fail(document.error());
  Act act;
  SB_RETURN_IF_ERROR(TakeText(*document, "actor", act.actor));
  SB_RETURN_IF_ERROR(TakeText(*document, "reason", act.reason));
  return act;
}

Status Run(Migrator& migrator, const std::string& action, const Act& act) {
  if (action == "pause") return migrator.Pause(act.actor);
  if (action == "resume") return migrator.Resume(act.actor);
  if (action == "cancel") return migrator.Cancel(act.actor, act.reason);
  return migrator.Abandon(act.actor, act.reason);
}

}  // namespace

HttpResponse HandleMigrationGet(const ControlPlaneParts& parts) {
  return Answer(parts, 200);
}

HttpResponse HandleMigrationStart(const ControlPlaneParts& parts, const std::string& body) {
  auto request = ParseStart(body);
  if (!request) return ProblemResponse(request.error());
  if (auto started = parts.migrator.Start(*request); !started)
    return ProblemResponse(started.error());
  return Answer(parts, 202);
}

HttpResponse HandleMigrationAction(const ControlPlaneParts& parts, const std::string& action,
                                   const std::string& body) {
  auto act = ParseAct(body);
  if (!act) return ProblemResponse(act.error());
  if (auto done = Run(parts.migrator, action, *act); !done) return ProblemResponse(done.error());
  return Answer(parts, 202);
}

HttpResponse HandleMigrationComplete(const ControlPlaneParts& parts, const std::string& body) {
  auto document = ParseBody(body, {"actor", "reason", "confirm"});
  if (!document) return ProblemResponse(document.error());
  Act act;
  bool is_confirmed = false;
  Status taken = TakeText(*document, "actor", act.actor);
  if (taken) taken = TakeText(*document, "reason", act.reason);
  if (taken) taken = TakeFlag(*document, "confirm", is_confirmed);
  if (!taken) return ProblemResponse(taken.error());
  if (!is_confirmed) {
    return ProblemResponse(409, "refused",
                           "legacy gets no more writes once it is let go, and the flag has no way "
                           "back then: say {\"confirm\": true}");
  }
  if (auto done = parts.migrator.Complete(act.actor, act.reason); !done)
    return ProblemResponse(done.error());
  return Answer(parts, 202);
}

HttpResponse HandleMigrationInvalid(const ControlPlaneParts& parts, const std::string& query) {
  const auto page = ParsePage(query);
  if (!page) return ProblemResponse(page.error());
  const auto found =
      parts.migrator.InvalidRecordsAfter(page->after_collection, page->after_key, page->limit);
  if (!found) return ProblemResponse(found.error());
  Json document{{"records", Json::array()}, {"next", nullptr}};
  for (const Finding& finding : *found) {
    Json record{{"collection", finding.collection}};
    if (IsUtf8(finding.key)) record["key"] = finding.key;
    record["key_base64"] = EncodeBase64(finding.key);
    record.update(Json::parse(finding.detail, nullptr, false));
    document["records"].push_back(std::move(record));
  }
  if (found->size() == page->limit)
    document["next"] = NextPage("/v1/migration/invalid",
                                {found->back().collection, found->back().key, page->limit});
  HttpResponse response;
  response.body = JsonText(document);
  return response;
}

HttpResponse HandleMigrationSettings(const ControlPlaneParts& parts, const std::string& body) {
  auto document = ParseBody(body, {"actor", "settings"});
  if (!document) return ProblemResponse(document.error());
  std::string actor;
  if (auto taken = TakeText(*document, "actor", actor); !taken)
    return ProblemResponse(taken.error());
  const std::string settings = document->value("settings", Json::object()).dump();
  if (auto changed = parts.migrator.ChangeSettings(settings, actor); !changed)
    return ProblemResponse(changed.error());
  return Answer(parts, 200);
}

}  // namespace switchback
