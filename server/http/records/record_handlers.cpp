#include "server/http/records/record_handlers.hpp"

#include "server/commands/values.hpp"
#include "server/http/problem.hpp"
#include "server/http/query.hpp"
#include "server/http/records/preconditions.hpp"
#include "server/http/records/record_format.hpp"
#include "server/http/records/record_source.hpp"

namespace switchback {
namespace {

struct RecordRequest {
  const Collection* collection = nullptr;  // null: no such collection
  std::string key;
  Preconditions conditions;
  std::optional<Role> role;
};

HttpResponse NoRecord() {
  return ProblemResponse(404, "not-found", "there is no record of that key");
}

HttpResponse FailedCondition() {
  return ProblemResponse(412, "precondition-failed",
                         "the record is not as If-Match or If-None-Match asks for; nothing was "
                         "changed");
}

Result<std::optional<Role>> ParseRole(const std::string& query) {
  const auto parameters = ParseQuery(query);
  if (!parameters) return Fail(parameters.error());
  std::optional<Role> asked;
  for (const auto& [name, value] : *parameters) {
    for (const Role role : kRoles) {
      if (name == "role" && value == RoleName(role)) asked = role;
    }
    if (!asked)
      return Fail(ErrorCode::kInvalidArgument, "the query may hold role=legacy or role=unified");
  }
  return asked;
}

// A collection is made known by writes alone: reads of invented names must not fill the catalog.
Result<RecordRequest> ParseRequest(const RecordParts& parts, const HttpRequest& request,
                                   const PathParameters& path, bool is_write) {
  RecordRequest parsed;
  if (!IsValidCollectionName(path[0]))
    return Fail(ErrorCode::kInvalidArgument,
                "a collection's name has 1 to 64 of the characters A-Z a-z 0-9 _ . -");
  if (!IsPossibleKey(path[1])) return Fail(ErrorCode::kInvalidArgument, "a key has 1 to 511 bytes");
  parsed.key = path[1];
  auto conditions =
      Preconditions::Parse(request.Header("if-match"), request.Header("if-none-match"));
  if (!conditions) return Fail(conditions.error());
  parsed.conditions = *std::move(conditions);
  auto role = ParseRole(request.query);
  if (!role) return Fail(role.error());
  if (*role && is_write)
    return Fail(ErrorCode::kInvalidArgument, "a write goes to both stores: leave out the role");
  parsed.role = *role;
  parsed.collection = parts.service.catalog().Find(path[0]);
  if (parsed.collection != nullptr || !is_write) return parsed;
  auto made = parts.service.catalog().Intern(path[0]);
  if (!made) return Fail(made.error());
  parsed.collection = *made;
  return parsed;
}

// The answer to a read whose value is known. The value's tag is the same in either store.
HttpResponse ValueResponse(const HttpRequest& request, const RecordRequest& record,
                           std::optional<std::string_view> value) {
  if (record.conditions.IsFailedRead(value)) return FailedCondition();
  if (!value) return NoRecord();
  HttpResponse response;
  response.headers.emplace_back("ETag", EntityTagOf(*value));
  response.headers.emplace_back("Vary", "Accept");
  if (record.conditions.IsNotModified(value)) {
    response.status = 304;
    response.content_type.clear();
    return response;
  }
  auto type = ChooseContentType(request.Header("accept"), *value);
  if (!type) return ProblemResponse(406, "not-acceptable", type.error().message);
  response.content_type = *std::move(type);
  response.body = std::string(*value);
  return response;
}

HttpResponse ReadRouted(const RecordParts& parts, const HttpRequest& request,
                        const RecordRequest& record) {
  const auto role = AnsweringRole(parts.service, *record.collection, record.key);
  const SessionPool::Lease session = parts.sessions.Take();
  const auto value = session->Get(*record.collection, record.key);
  if (!value) return ProblemResponse(value.error());
  HttpResponse response = ValueResponse(request, record, *value);
  if (role) response.headers.emplace_back("Switchback-Role", RoleName(*role));
  return response;
}

HttpResponse ReadCopy(const RecordParts& parts, const HttpRequest& request,
                      const RecordRequest& record) {
  const auto copy = ReadStoreCopy(parts.service, *record.role, *record.collection, record.key);
  if (!copy) return ProblemResponse(copy.error());
  HttpResponse response = ValueResponse(request, record, copy->value);
  response.headers.emplace_back("Switchback-Role", RoleName(*record.role));
  response.headers.emplace_back("Switchback-Copy", "sequence=" + std::to_string(copy->sequence));
  return response;
}

HttpResponse Changed(unsigned status, std::string_view value_tag) {
  HttpResponse response;
  response.status = status;
  response.content_type.clear();
  if (!value_tag.empty()) response.headers.emplace_back("ETag", std::string(value_tag));
  return response;
}

// What a write found in its turn.
struct Found {
  bool is_present = false;
  bool is_allowed = false;
};

Result<Found> LookBeforeWrite(Transaction& transaction, const RecordRequest& record) {
  const auto value = transaction.Get(*record.collection, record.key);
  if (!value) return Fail(value.error());
  return Found{value->has_value(), record.conditions.AllowWrite(*value)};
}

}  // namespace

HttpResponse HandleRecordGet(const RecordParts& parts, const HttpRequest& request,
                             const PathParameters& path) {
  const auto record = ParseRequest(parts, request, path, /*is_write=*/false);
  if (!record) return ProblemResponse(record.error());
  if (record->collection == nullptr) return ValueResponse(request, *record, std::nullopt);
  return record->role ? ReadCopy(parts, request, *record) : ReadRouted(parts, request, *record);
}

HttpResponse HandleRecordPut(const RecordParts& parts, const HttpRequest& request,
                             const PathParameters& path) {
  if (auto checked = CheckRecordBody(request); !checked) {
    const bool is_form = checked.error().code == ErrorCode::kUnsupported;
    return is_form ? ProblemResponse(415, "content-type", checked.error().message)
                   : ProblemResponse(checked.error());
  }
  const auto record = ParseRequest(parts, request, path, /*is_write=*/true);
  if (!record) return ProblemResponse(record.error());
  Found found;
  const Status written = parts.service.Write([&](Transaction& transaction) -> Status {
    const auto seen = LookBeforeWrite(transaction, *record);
    if (!seen) return Fail(seen.error());
    found = *seen;
    if (!found.is_allowed) return {};
    return transaction.Put(*record->collection, record->key, request.body);
  });
  if (!written) return ProblemResponse(written.error());
  if (!found.is_allowed) return FailedCondition();
  return Changed(found.is_present ? 204 : 201, EntityTagOf(request.body));
}

HttpResponse HandleRecordDelete(const RecordParts& parts, const HttpRequest& request,
                                const PathParameters& path) {
  const auto record = ParseRequest(parts, request, path, /*is_write=*/true);
  if (!record) return ProblemResponse(record.error());
  Found found;
  const Status written = parts.service.Write([&](Transaction& transaction) -> Status {
    const auto seen = LookBeforeWrite(transaction, *record);
    if (!seen) return Fail(seen.error());
    found = *seen;
    if (!found.is_allowed || !found.is_present) return {};
    return transaction.Delete(*record->collection, record->key);
  });
  if (!written) return ProblemResponse(written.error());
  if (!found.is_allowed) return FailedCondition();
  return found.is_present ? Changed(204, "") : NoRecord();
}

}  // namespace switchback
