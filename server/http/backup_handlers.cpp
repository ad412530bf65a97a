#include <nlohmann/json.hpp>

#include "server/http/backup_json.hpp"
#include "server/http/body.hpp"
#include "server/http/handlers.hpp"
#include "server/http/json_response.hpp"
#include "server/http/problem.hpp"
#include "server/http/query.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

HttpResponse NoBackups() {
  return ProblemResponse(503, "unavailable", "this server was started without backups");
}

struct ActorBody {
  std::string actor = "http";
  bool flag = false;
};

// {"actor"?, and one flag?}.
Result<ActorBody> ParseActor(const std::string& body, const char* flag = nullptr) {
  auto document = ParseBody(body, {"actor", flag == nullptr ? "actor" : flag});
  if (!document) return Fail(document.error());
  ActorBody parsed;
  SB_RETURN_IF_ERROR(TakeText(*document, "actor", parsed.actor));
  if (flag != nullptr) SB_RETURN_IF_ERROR(TakeFlag(*document, flag, parsed.flag));
  return parsed;
}

Result<BackupRequest> ParseCreate(const BackupManager& manager, const std::string& body) {
  auto document = ParseBody(body, {"note", "compress", "actor"});
  if (!document) return Fail(document.error());
  BackupRequest request = manager.NewRequest();
  request.actor = "http";
  SB_RETURN_IF_ERROR(TakeText(*document, "note", request.note));
  SB_RETURN_IF_ERROR(TakeText(*document, "actor", request.actor));
  SB_RETURN_IF_ERROR(TakeFlag(*document, "compress", request.is_compressed));
  return request;
}

// "where=target" in a query, and nothing else.
Result<bool> IsAtTarget(const std::string& query) {
  const auto parameters = ParseQuery(query);
  if (!parameters) return Fail(parameters.error());
  bool is_at_target = false;
  for (const auto& [name, value] : *parameters) {
    if (name != "where" || (value != "target" && value != "here"))
      return Fail(ErrorCode::kInvalidArgument, "the query may hold where=target or where=here");
    is_at_target = value == "target";
  }
  return is_at_target;
}

}  // namespace

HttpResponse HandleBackupList(const ControlPlaneParts& parts, const std::string& query) {
  if (parts.backups == nullptr) return NoBackups();
  const auto is_at_target = IsAtTarget(query);
  if (!is_at_target) return ProblemResponse(is_at_target.error());
  if (*is_at_target) {
    const auto remote = parts.backups->ListRemote();
    if (!remote) return ProblemResponse(remote.error());
    return JsonResponse(RemoteBackupListJson(*remote, parts.clock.WallNow()));
  }
  const auto entries = parts.backups->directory().List();
  if (!entries) return ProblemResponse(entries.error());
  Json list = BackupListJson(*entries, parts.backups->directory().path(), parts.clock.WallNow());
  list["has_target"] = parts.backups->has_target();
  list["is_uploading"] = parts.backups->is_uploading();
  return JsonResponse(list);
}

HttpResponse HandleBackupStatus(const ControlPlaneParts& parts) {
  if (parts.backups == nullptr) return NoBackups();
  return JsonResponse(BackupOperationJson(parts.backups->Operation()));
}

HttpResponse HandleBackupShow(const ControlPlaneParts& parts, const std::string& id) {
  if (parts.backups == nullptr) return NoBackups();
  const auto entry = parts.backups->directory().Load(id);
  if (!entry) return ProblemResponse(entry.error());
  return JsonResponse(BackupDetailJson(*entry, parts.clock.WallNow()));
}

HttpResponse HandleBackupCreate(const ControlPlaneParts& parts, const std::string& body) {
  if (parts.backups == nullptr) return NoBackups();
  auto request = ParseCreate(*parts.backups, body);
  if (!request) return ProblemResponse(request.error());
  const auto id = parts.backups->Create(*std::move(request));
  if (!id) return ProblemResponse(id.error());
  return JsonResponse(BackupOperationJson(parts.backups->Operation()), 202);
}

HttpResponse HandleBackupVerify(const ControlPlaneParts& parts, const std::string& id,
                                const std::string& body) {
  if (parts.backups == nullptr) return NoBackups();
  const auto parsed = ParseActor(body, "full");
  if (!parsed) return ProblemResponse(parsed.error());
  if (auto begun = parts.backups->Verify(id, parsed->flag, parsed->actor); !begun)
    return ProblemResponse(begun.error());
  return JsonResponse(BackupOperationJson(parts.backups->Operation()), 202);
}

HttpResponse HandleBackupPin(const ControlPlaneParts& parts, const std::string& id, bool is_pinned,
                             const std::string& body) {
  if (parts.backups == nullptr) return NoBackups();
  const auto parsed = ParseActor(body);
  if (!parsed) return ProblemResponse(parsed.error());
  if (auto set = parts.backups->SetPinned(id, is_pinned, parsed->actor); !set)
    return ProblemResponse(set.error());
  return HandleBackupShow(parts, id);
}

HttpResponse HandleBackupMove(const ControlPlaneParts& parts, const std::string& id, bool is_upload,
                              const std::string& body) {
  if (parts.backups == nullptr) return NoBackups();
  const auto parsed = ParseActor(body);
  if (!parsed) return ProblemResponse(parsed.error());
  auto begun = is_upload ? parts.backups->Upload(id, parsed->actor)
                         : parts.backups->Download(id, parsed->actor);
  if (!begun) return ProblemResponse(begun.error());
  return JsonResponse(BackupOperationJson(parts.backups->Operation()), 202);
}

HttpResponse HandleBackupDelete(const ControlPlaneParts& parts, const std::string& id,
                                const std::string& query, const std::string& body) {
  if (parts.backups == nullptr) return NoBackups();
  const auto parsed = ParseActor(body);
  if (!parsed) return ProblemResponse(parsed.error());
  const auto is_at_target = IsAtTarget(query);
  if (!is_at_target) return ProblemResponse(is_at_target.error());
  auto deleted = *is_at_target ? parts.backups->DeleteRemote(id, parsed->actor)
                               : parts.backups->Delete(id, parsed->actor);
  if (!deleted) return ProblemResponse(deleted.error());
  return JsonResponse({{"deleted", id}});
}

HttpResponse HandleBackupPrune(const ControlPlaneParts& parts, const std::string& body) {
  if (parts.backups == nullptr) return NoBackups();
  const auto parsed = ParseActor(body, "dry_run");
  if (!parsed) return ProblemResponse(parsed.error());
  const auto verdicts = parts.backups->Prune(PruneBy::kOperator, parsed->flag, parsed->actor);
  if (!verdicts) return ProblemResponse(verdicts.error());
  return JsonResponse(RetentionJson(*verdicts, parsed->flag));
}

HttpResponse HandleBackupCancel(const ControlPlaneParts& parts, const std::string& body) {
  if (parts.backups == nullptr) return NoBackups();
  if (auto parsed = ParseActor(body); !parsed) return ProblemResponse(parsed.error());
  if (auto cancelled = parts.backups->Cancel(); !cancelled)
    return ProblemResponse(cancelled.error());
  return JsonResponse(BackupOperationJson(parts.backups->Operation()), 202);
}

}  // namespace switchback
