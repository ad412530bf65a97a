// Opening and closing, and names of collections.
#include "common/log.hpp"
#include "server/capi/handles.hpp"
#include "server/capi/options.hpp"
#include "server/version.hpp"

namespace switchback::capi {

Status CheckCollectionName(const char* name) {
  SB_RETURN_IF_ERROR(CheckGiven(name, "collection"));
  if (IsValidCollectionName(name)) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "a collection's name has 1 to 64 of the characters A-Z a-z 0-9 _ . -, and does not "
              "begin with __switchback");
}

Result<const Collection*> CollectionToRead(Embedded& embedded, const char* name) {
  SB_RETURN_IF_ERROR(CheckCollectionName(name));
  return embedded.service().catalog().Find(name);
}

Result<const Collection*> CollectionToWrite(Embedded& embedded, const char* name) {
  SB_RETURN_IF_ERROR(CheckCollectionName(name));
  return embedded.service().catalog().Intern(name);
}

namespace {

Status Open(const switchback_options* given, switchback_db** db) {
  SB_RETURN_IF_ERROR(CheckGiven(db, "db"));
  *db = nullptr;
  auto request = ReadOptions(given);
  if (!request) return Fail(request.error());
  SetLogLevel(request->log_level);
  auto embedded = Embedded::Open(std::move(request->embedded));
  if (!embedded) return Fail(embedded.error());
  *db = new switchback_db{*std::move(embedded)};
  return {};
}

}  // namespace
}  // namespace switchback::capi

extern "C" {

const char* switchback_version(void) {
  return switchback::kVersion.data();
}

switchback_code switchback_open(const switchback_options* options, switchback_db** db) {
  return switchback::capi::Answer([&] { return switchback::capi::Open(options, db); });
}

switchback_code switchback_close(switchback_db* db) {
  if (db == nullptr) return SWITCHBACK_OK;
  const std::unique_ptr<switchback_db> owned(db);
  return switchback::capi::Answer([&] { return owned->embedded->Close(); });
}

}  // extern "C"
