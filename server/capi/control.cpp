// The flag, the migration, the way back.
#include "server/capi/handles.hpp"

namespace switchback::capi {
namespace {

// Runs `work` with the service of the handle.
template <class Work>
switchback_code With(switchback_db* db, const Work& work) noexcept {
  return Answer([&]() -> Status {
    const auto embedded = ServiceOf(db);
    if (!embedded) return Fail(embedded.error());
    return work(**embedded);
  });
}

template <class MakeText>
switchback_code GiveText(switchback_db* db, char** text, const MakeText& make) noexcept {
  if (text != nullptr) *text = nullptr;
  return With(db, [&](Embedded& embedded) -> Status {
    SB_RETURN_IF_ERROR(CheckGiven(text, "json"));
    const auto copy = CopyOut(make(embedded));
    if (!copy) return Fail(copy.error());
    *text = static_cast<char*>(*copy);
    return {};
  });
}

constexpr const char* kActor = "application";

}  // namespace
}  // namespace switchback::capi

using switchback::Embedded;
using switchback::Status;
using switchback::capi::GiveText;
using switchback::capi::kActor;
using switchback::capi::With;

extern "C" {

switchback_code switchback_get_percentage(switchback_db* db, double* effective, double* desired) {
  return With(db, [&](Embedded& embedded) -> Status {
    const auto routing = embedded.service().GetStatus().routing;
    if (effective != nullptr) *effective = routing.effective_percentage;
    if (desired != nullptr) *desired = routing.desired_percentage;
    return {};
  });
}

switchback_code switchback_set_percentage(switchback_db* db, double percentage) {
  return With(db, [&](Embedded& embedded) { return embedded.SetPercentage(percentage); });
}

switchback_code switchback_reload_flags(switchback_db* db) {
  return With(db, [](Embedded& embedded) { return embedded.ReloadFlags(); });
}

switchback_code switchback_rollback_now(switchback_db* db, const char* reason, uint32_t wait_ms) {
  return With(db, [&](Embedded& embedded) {
    return embedded.RollBackNow(reason == nullptr ? "" : reason,
                                std::chrono::milliseconds(wait_ms));
  });
}

switchback_code switchback_rearm(switchback_db* db) {
  return With(db, [](Embedded& embedded) { return embedded.Rearm(); });
}

switchback_code switchback_status_json(switchback_db* db, char** json) {
  return GiveText(db, json, [](Embedded& embedded) { return embedded.StatusText(); });
}

switchback_code switchback_migration_start(switchback_db* db) {
  return With(db, [](Embedded& embedded) {
    switchback::MigrationRequest request;
    request.actor = kActor;
    return embedded.migrator().Start(request);
  });
}

switchback_code switchback_migration_wait(switchback_db* db, uint32_t wait_ms) {
  return With(db, [&](Embedded& embedded) {
    return embedded.WaitForMigration(std::chrono::milliseconds(wait_ms));
  });
}

switchback_code switchback_migration_pause(switchback_db* db) {
  return With(db, [](Embedded& embedded) { return embedded.migrator().Pause(kActor); });
}

switchback_code switchback_migration_resume(switchback_db* db) {
  return With(db, [](Embedded& embedded) { return embedded.migrator().Resume(kActor); });
}

switchback_code switchback_migration_cancel(switchback_db* db) {
  return With(db, [](Embedded& embedded) { return embedded.migrator().Cancel(kActor, ""); });
}

switchback_code switchback_migration_json(switchback_db* db, char** json) {
  return GiveText(db, json, [](Embedded& embedded) { return embedded.MigrationText(); });
}

}  // extern "C"
