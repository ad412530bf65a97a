// The handlers behind the routes, one file a group. Functions of the request and of what the parts
// say at that moment; any thread may call them.
#pragma once

#include "server/http/control_plane.hpp"

namespace switchback {

struct ConsoleFile;

// GET /v1/whoami: the token's name, its role, and which of `routes` it may use.
HttpResponse HandleWhoAmI(const Principal& caller, const std::vector<Route>& routes);

// GET / and GET /console/...: a file of the console, compressed for those who accept that; 304 for
// those who have it.
HttpResponse HandleConsoleFile(const ConsoleFile& file, const HttpRequest& request);

// GET /healthz: the process is alive and answers.
HttpResponse HandleHealth();
// GET /readyz: 200 when reads and writes can be served, else 503 with the reasons.
HttpResponse HandleReady(const ControlPlaneParts& parts, bool is_stopping);
// GET /metrics
HttpResponse HandleMetrics(const ControlPlaneParts& parts);
// GET /v1/status
HttpResponse HandleStatus(const ControlPlaneParts& parts);

// GET /v1/events?topics=a,b with Last-Event-ID: what happens, as it happens (event_stream.hpp). 503
// when too many watch already.
HttpResponse HandleEvents(const ControlPlaneParts& parts, const HttpRequest& request);

// GET /v1/flags
HttpResponse HandleFlagList(const ControlPlaneParts& parts);
// GET /v1/flags/{name}: 404 for a flag that no file names, but for the unified flag.
HttpResponse HandleFlagGet(const ControlPlaneParts& parts, const std::string& name);
// GET /v1/flags/{name}/explain?key=&collection=: what the flag says about one key, and why; of the
// unified flag also which store answers.
HttpResponse HandleFlagExplain(const ControlPlaneParts& parts, const std::string& name,
                               const std::string& query);
// POST /ofrep/v1/evaluate/flags/{key} and, for all flags, /ofrep/v1/evaluate/flags
// {"context"?: object}: OFREP's answers and errors, not problem documents.
HttpResponse HandleOfrepFlag(const ControlPlaneParts& parts, const std::string& name,
                             const std::string& body);
HttpResponse HandleOfrepFlags(const ControlPlaneParts& parts, const HttpRequest& request);
// PUT /v1/flags/{name} {"enabled": bool, "percentage"?: number, "reason"?: string}: edits the flags
// file and publishes it. 409 leaves the file as it is.
HttpResponse HandleFlagPut(const ControlPlaneParts& parts, const std::string& name,
                           const std::string& body);

// GET /v1/migration
HttpResponse HandleMigrationGet(const ControlPlaneParts& parts);
// POST /v1/migration/start {"reverse"?: bool, "settings"?: {}, "actor"?, "reason"?}
HttpResponse HandleMigrationStart(const ControlPlaneParts& parts, const std::string& body);
// POST /v1/migration/{pause,resume,cancel,abandon} {"actor"?, "reason"?}
HttpResponse HandleMigrationAction(const ControlPlaneParts& parts, const std::string& action,
                                   const std::string& body);
// POST /v1/migration/complete {"confirm": true, "actor"?, "reason"?}
HttpResponse HandleMigrationComplete(const ControlPlaneParts& parts, const std::string& body);
// GET /v1/migration/invalid?after_collection=&after_key=&limit=: records that broke their rule
HttpResponse HandleMigrationInvalid(const ControlPlaneParts& parts, const std::string& query);
// POST /v1/migration/settings {"settings": {}, "actor"?}
HttpResponse HandleMigrationSettings(const ControlPlaneParts& parts, const std::string& body);
// POST /v1/drain {"wait_ms_max"?: number}: waits until both stores hold everything, or the server
// stops. 429 when the time is up first.
HttpResponse HandleDrain(const ControlPlaneParts& parts, const std::atomic<bool>& is_stopping,
                         const std::string& body);

// GET /v1/verify
HttpResponse HandleVerifyGet(const ControlPlaneParts& parts);
// POST /v1/verify/start {"collections"?: [name], "continuous"?: bool, "repair"?: "legacy" or
// "unified", "bytes_per_second"?: number, "fresh"?: bool, "actor"?: text}
HttpResponse HandleVerifyStart(const ControlPlaneParts& parts, const std::string& body);
// POST /v1/verify/cancel {"actor"?: text}
HttpResponse HandleVerifyCancel(const ControlPlaneParts& parts, const std::string& body);
// POST /v1/verify/rate {"bytes_per_second": number}
HttpResponse HandleVerifyRate(const ControlPlaneParts& parts, const std::string& body);
// GET /v1/verify/differences?after_collection=&after_key=&limit=: a page, and the path of the next.
HttpResponse HandleVerifyDifferences(const ControlPlaneParts& parts, const std::string& query);

// GET /v1/guard: streams with their thresholds, latch, alerts, settings
HttpResponse HandleGuardGet(const ControlPlaneParts& parts);
// POST /v1/guard/rearm {"trip": number, "actor"?, "reason"?}: 404 for another trip than the present
HttpResponse HandleGuardRearm(const ControlPlaneParts& parts, const std::string& body);
// POST /v1/guard/confirm, /v1/guard/dismiss {"proposal": number, "actor"?, "reason"?}
HttpResponse HandleProposal(const ControlPlaneParts& parts, bool is_confirmed,
                            const std::string& body);
// GET /v1/safe-mode
HttpResponse HandleSafeModeGet(const ControlPlaneParts& parts);
// POST /v1/safe-mode/leave {"id": number, "actor"?, "reason"?}: answered when the service was
// checked; 503 when it is not well, and safe mode is on again.
HttpResponse HandleSafeModeLeave(const ControlPlaneParts& parts, const std::string& body);
// GET /v1/rollback: whether it can be done now, and the rollback at hand or the newest one
HttpResponse HandleRollbackGet(const ControlPlaneParts& parts);
// GET /v1/rollback/check
HttpResponse HandleRollbackCheck(const ControlPlaneParts& parts);
// POST /v1/rollback {"actor"?, "reason"?, "wait_ms"?: number}: every key goes to legacy from the
// answer on; 202, the rest goes on. 409 when legacy is not in sync.
HttpResponse HandleRollbackNow(const ControlPlaneParts& parts, const std::string& body);
// POST /v1/rollback/validate {"actor"?}: checks the service and answers with the result.
HttpResponse HandleRollbackValidate(const ControlPlaneParts& parts, const std::string& body);
// GET /v1/metrics/comparison
HttpResponse HandleComparison(const ControlPlaneParts& parts);

// GET /v1/backups: all of them, with their number, size and age. ?where=target: those off this
// machine; it waits for the target. 503 when there is none.
HttpResponse HandleBackupList(const ControlPlaneParts& parts, const std::string& query);
// POST /v1/backups {"note"?: text, "compress"?: bool, "actor"?: text}: begins one; 202 with what
// GET /v1/backups/status says. 409 with the name of the operation that runs.
HttpResponse HandleBackupCreate(const ControlPlaneParts& parts, const std::string& body);
// GET /v1/backups/status: the operation that runs, or the newest one that did.
HttpResponse HandleBackupStatus(const ControlPlaneParts& parts);
// POST /v1/backups/cancel {"actor"?}: 404 when none runs.
HttpResponse HandleBackupCancel(const ControlPlaneParts& parts, const std::string& body);
// POST /v1/backups/prune {"dry_run"?: bool, "actor"?}
HttpResponse HandleBackupPrune(const ControlPlaneParts& parts, const std::string& body);
// GET /v1/backups/{id}
HttpResponse HandleBackupShow(const ControlPlaneParts& parts, const std::string& id);
// DELETE /v1/backups/{id} {"actor"?}: 409 for one that is pinned or in use. ?where=target: the copy
// off this machine, and what is left of an unfinished upload.
HttpResponse HandleBackupDelete(const ControlPlaneParts& parts, const std::string& id,
                                const std::string& query, const std::string& body);
// POST /v1/backups/{id}/upload, /download {"actor"?}: begins it; 202. 503 without a target.
HttpResponse HandleBackupMove(const ControlPlaneParts& parts, const std::string& id, bool is_upload,
                              const std::string& body);
// POST /v1/backups/{id}/verify {"full"?: bool, "actor"?}: begins it; 202.
HttpResponse HandleBackupVerify(const ControlPlaneParts& parts, const std::string& id,
                                const std::string& body);
// POST /v1/backups/{id}/pin, /unpin {"actor"?}
HttpResponse HandleBackupPin(const ControlPlaneParts& parts, const std::string& id, bool is_pinned,
                             const std::string& body);

// POST /v1/backups/{id}/restore {"from"?: role, "foreign"?: bool, "no_safety_backup"?: bool,
// "to_sequence"?: number, "to_time"?: text, "dry_run"?: bool, "confirm"?: bool, "reason"?,
// "actor"?}: the plan (dry_run), or begins it; 202 with what GET /v1/backups/status says. 409
// without confirm. POST /v1/restore, with an empty id: from the nearest backup to a moment. POST
// /v1/restore/undo: back to the generation before.
HttpResponse HandleRestore(const ControlPlaneParts& parts, const std::string& id,
                           const std::string& body, bool is_undo = false);

// GET /v1/rollout: how far it is, what holds it up, or how the newest one ended.
HttpResponse HandleRolloutGet(const ControlPlaneParts& parts);
// POST /v1/rollout/start {"steps": [percentage], "interval_seconds"?: 600, "operations_min"?: 1000,
// "dry_run"?: bool, "actor"?, "reason"?}: 202 with the first share in force; of a dry run 200 with
// the plan and its "refusals". 409 with all that speaks against it.
HttpResponse HandleRolloutStart(const ControlPlaneParts& parts, const std::string& body);
// POST /v1/rollout/{pause,resume,promote,abort} {"actor"?, "reason"?}, of abort also "to_zero"?.
// 404 when there is none to do it with, 409 when it must not be done.
HttpResponse HandleRolloutAction(const ControlPlaneParts& parts, const std::string& action,
                                 const std::string& body);
// GET /v1/notifications: who is notified, what waits for each, and how the last attempt went.
HttpResponse HandleNotificationList(const ControlPlaneParts& parts);
// POST /v1/notifications/test {"sink"?: name}: sends a test to one sink or all and waits for what
// comes of it. 404 for a sink that there is not.
HttpResponse HandleNotificationTest(const ControlPlaneParts& parts, const std::string& body);

// POST /v1/legacy/accept {}: the operator's word that a legacy store that another process has
// written to is to be used as it is.
HttpResponse HandleAcceptLegacy(const ControlPlaneParts& parts, const std::string& body);

// GET /v1/history?kind=&limit=&before=&format=: entries, the newest first, as JSON, or as Markdown
// or CSV for those who accept it or ask by `format`.
HttpResponse HandleHistoryList(const ControlPlaneParts& parts, const HttpRequest& request);
// GET /v1/history/verify?head=: whether every entry is as it was written (200 in any case).
HttpResponse HandleHistoryVerify(const ControlPlaneParts& parts, const std::string& query);
// GET /v1/history/{id}: an operation as it is now, and all entries about it.
HttpResponse HandleHistoryShow(const ControlPlaneParts& parts, const std::string& id);
// POST /v1/history/{id}/notes {"text": text, "kind"?: "root-cause" "lesson" "note", "actor"?}
HttpResponse HandleHistoryNote(const ControlPlaneParts& parts, const std::string& id,
                               const std::string& body);
// GET /v1/evidence: what was kept at rollbacks.
HttpResponse HandleEvidenceList(const ControlPlaneParts& parts);
// GET /v1/evidence/{name}: one of them as .tar.zst.
HttpResponse HandleEvidenceGet(const ControlPlaneParts& parts, const std::string& name);

// GET /v1/schema: the versions of unified's schema, and of the files.
HttpResponse HandleSchemaGet(const ControlPlaneParts& parts);
// POST /v1/schema/up {"count"?}, /down {"count"?: 1}, /to {"version"}, /validate {}; each with
// "actor"? and "reason"?. Answered at the end of the operation: 200, 409 when it is refused, 422
// when it failed; what came of it is in the document in any case.
HttpResponse HandleSchemaUp(const ControlPlaneParts& parts, const std::string& body);
HttpResponse HandleSchemaDown(const ControlPlaneParts& parts, const std::string& body);
HttpResponse HandleSchemaTo(const ControlPlaneParts& parts, const std::string& body);
HttpResponse HandleSchemaValidate(const ControlPlaneParts& parts, const std::string& body);
// POST /v1/query (query_json.hpp): JSON, or NDJSON for those who accept it.
HttpResponse HandleQuery(const ControlPlaneParts& parts, const HttpRequest& request);

}  // namespace switchback
