#include "server/http/records/record_batch.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "flags/strict_json.hpp"
#include "server/commands/values.hpp"
#include "server/http/body.hpp"
#include "server/http/json_response.hpp"
#include "server/http/problem.hpp"
#include "server/http/records/record_handlers.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

tl::unexpected<Error> Wrong(const std::string& what) {
  return Fail(ErrorCode::kInvalidArgument, what);
}

// Text or base64 under `name` or `name`_base64; nullopt when neither is there.
Result<std::optional<std::string>> TakeBytes(const Json& operation, const std::string& name) {
  const std::string encoded_name = name + "_base64";
  const bool has_text = operation.contains(name);
  const bool has_base64 = operation.contains(encoded_name);
  if (has_text && has_base64) return Wrong("\"" + name + "\" is there twice");
  if (!has_text && !has_base64) return std::optional<std::string>();
  const Json& member = operation[has_text ? name : encoded_name];
  if (!member.is_string()) return Wrong("\"" + name + "\" must be a string");
  if (has_text) return std::optional(member.get<std::string>());
  auto bytes = DecodeBase64(member.get_ref<const std::string&>());
  if (!bytes) return Wrong("\"" + encoded_name + "\" is not base64");
  return std::optional(*std::move(bytes));
}

Status TakeValue(const Json& operation, BatchOperation& parsed) {
  auto value = TakeBytes(operation, "value");
  if (!value) return Fail(value.error());
  const bool has_json = operation.contains("value_json");
  if (parsed.kind == BatchKind::kDelete)
    return *value || has_json ? Status(Wrong("a delete has no value")) : Status();
  if (value->has_value() == has_json)
    return Wrong("a put or insert has one of \"value\", \"value_base64\" and \"value_json\"");
  parsed.value = has_json ? operation["value_json"].dump() : *std::move(*value);
  return {};
}

Status CheckMembers(const Json& operation) {
  constexpr std::array<std::string_view, 9> kKnown{"op",       "key",           "key_base64",
                                                   "value",    "value_base64",  "value_json",
                                                   "if_match", "if_none_match", "on_conflict"};
  if (!operation.is_object()) return Wrong("must be an object");
  for (const auto& [name, member] : operation.items()) {
    if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end())
      return Wrong("there is no member \"" + Printable(name) + "\"");
  }
  return {};
}

Result<BatchKind> TakeKind(const Json& operation) {
  const Json op = operation.value("op", Json());
  if (op == "put") return BatchKind::kPut;
  if (op == "delete") return BatchKind::kDelete;
  if (op == "insert") return BatchKind::kInsert;
  return Wrong("\"op\" must be \"put\", \"delete\" or \"insert\"");
}

Status TakeConditions(const Json& operation, BatchOperation& parsed) {
  std::string if_match, if_none_match, on_conflict;
  SB_RETURN_IF_ERROR(TakeText(operation, "if_match", if_match));
  SB_RETURN_IF_ERROR(TakeText(operation, "if_none_match", if_none_match));
  SB_RETURN_IF_ERROR(TakeText(operation, "on_conflict", on_conflict));
  auto conditions = Preconditions::Parse(if_match, if_none_match);
  if (!conditions) return Fail(conditions.error());
  parsed.conditions = *std::move(conditions);
  const bool is_insert = parsed.kind == BatchKind::kInsert;
  if (is_insert && !parsed.conditions.is_empty())
    return Wrong("an insert has no condition but its own");
  if (!on_conflict.empty() && (!is_insert || (on_conflict != "fail" && on_conflict != "skip")))
    return Wrong("\"on_conflict\" is for an insert, \"fail\" or \"skip\"");
  parsed.may_skip = on_conflict == "skip";
  return {};
}

Result<BatchOperation> ParseOperation(const Json& operation) {
  SB_RETURN_IF_ERROR(CheckMembers(operation));
  BatchOperation parsed;
  const auto kind = TakeKind(operation);
  if (!kind) return Fail(kind.error());
  parsed.kind = *kind;
  auto key = TakeBytes(operation, "key");
  if (!key) return Fail(key.error());
  if (!*key || !IsPossibleKey(**key)) return Wrong("\"key\" must have 1 to 511 bytes");
  parsed.key = *std::move(*key);
  SB_RETURN_IF_ERROR(TakeValue(operation, parsed));
  SB_RETURN_IF_ERROR(TakeConditions(operation, parsed));
  return parsed;
}

const char* NameOf(BatchKind kind) {
  if (kind == BatchKind::kInsert) return "insert";
  return kind == BatchKind::kPut ? "put" : "delete";
}

HttpResponse BatchResponse(const std::vector<BatchOperation>& operations,
                           const BatchOutcome& outcome) {
  Json document{{"results", Json::array()}};
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const BatchKind kind = operations[i].kind;
    Json result{{"op", NameOf(kind)}, {"was_present", outcome.results[i].was_present}};
    if (kind == BatchKind::kPut) result["etag"] = EntityTagOf(operations[i].value);
    if (kind == BatchKind::kInsert) result["is_stored"] = outcome.results[i].is_stored;
    document["results"].push_back(std::move(result));
  }
  return JsonResponse(document);
}

// `value` is what the key has at the operation's turn.
bool MayRun(const BatchOperation& operation, std::optional<std::string_view> value) {
  if (operation.kind != BatchKind::kInsert) return operation.conditions.AllowWrite(value);
  return !value || operation.may_skip || *value == operation.value;
}

bool HasEffect(BatchKind kind, bool was_present) {
  if (kind == BatchKind::kInsert) return !was_present;
  return kind == BatchKind::kPut || was_present;
}

}  // namespace

Result<std::vector<BatchOperation>> ParseBatch(std::string_view body) {
  auto document = ParseBody(body, {"operations"});
  if (!document) return Fail(document.error());
  const Json& list = (*document)["operations"];  // null when it is not there
  if (!list.is_array() || list.empty())
    return Wrong("body: \"operations\" must be a list that is not empty");
  if (list.size() > kRecordBatchCountMax)
    return Fail(ErrorCode::kTooLarge, "body: a batch has at most " +
                                          std::to_string(kRecordBatchCountMax) + " operations");
  std::vector<BatchOperation> operations;
  operations.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto operation = ParseOperation(list[i]);
    if (!operation)
      return Fail(WithContext(operation.error(), "body: operation " + std::to_string(i)));
    operations.push_back(*std::move(operation));
  }
  return operations;
}

Result<BatchOutcome> RunBatch(Transaction& transaction, const Collection& collection,
                              const std::vector<BatchOperation>& operations) {
  BatchOutcome outcome;
  const std::size_t begin = transaction.Savepoint();
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const BatchOperation& operation = operations[i];
    const auto value = transaction.Get(collection, operation.key);
    if (!value) return Fail(value.error());
    if (!MayRun(operation, *value)) {
      transaction.RollbackTo(begin);
      outcome.failed = i;
      return outcome;
    }
    const bool was_present = value->has_value();
    const bool is_stored = HasEffect(operation.kind, was_present);
    outcome.results.push_back({was_present, is_stored});
    if (!is_stored) continue;
    SB_RETURN_IF_ERROR(operation.kind == BatchKind::kDelete
                           ? transaction.Delete(collection, operation.key)
                           : transaction.Put(collection, operation.key, operation.value));
  }
  return outcome;
}

HttpResponse HandleRecordBatch(const RecordParts& parts, const HttpRequest& request,
                               const PathParameters& path) {
  const auto operations = ParseBatch(request.body);
  if (!operations) return ProblemResponse(operations.error());
  const auto collection = parts.service.catalog().Intern(path[0]);
  if (!collection) return ProblemResponse(collection.error());
  BatchOutcome outcome;
  const Status written = parts.service.Write([&](Transaction& transaction) -> Status {
    auto run = RunBatch(transaction, **collection, *operations);
    if (!run) return Fail(run.error());
    outcome = *std::move(run);
    return {};
  });
  if (!written) return ProblemResponse(written.error());
  if (outcome.failed) {
    const std::string number = std::to_string(*outcome.failed);
    return ProblemResponse(
        412, "precondition-failed",
        "the condition of operation " + number + " does not hold; nothing was changed",
        "operations", {number});
  }
  return BatchResponse(*operations, outcome);
}

}  // namespace switchback
