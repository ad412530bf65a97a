#include "server/http/verify_json.hpp"

#include <nlohmann/json.hpp>

#include "common/text.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

Json ValueJson(const std::optional<NamedDifference::Value>& value) {
  if (!value) return nullptr;
  return {{"bytes", value->bytes}, {"xxh3_128", value->hash}};
}

}  // namespace

Json VerifyJson(const VerifyStatus& status) {
  const auto& options = status.options;
  Json document{{"state", status.state},
                {"collections", options.collections},
                {"continuous", options.is_continuous}};
  document["repair"] = options.repair_from ? Json(RoleName(*options.repair_from)) : Json(nullptr);
  document["rate_limit_bytes_per_second"] = options.bytes_per_second;
  document["actor"] = status.actor;
  document["started_at"] = status.started_at;
  document["ended_at"] = status.ended_at;
  document["error"] = status.error;
  document["waiting"] = status.waiting;
  document["passes"] = status.passes;
  document["last_pass"] = status.last_pass;
  document["records_compared"] = status.records_compared;
  document["records_total"] = status.records_total;
  document["bytes_compared"] = status.bytes_compared;
  document["records_per_second"] = status.records_per_second;
  document["bytes_per_second"] = status.bytes_per_second;
  document["percent"] = status.percent;
  document["eta_seconds"] = status.eta_seconds ? Json(*status.eta_seconds) : Json(nullptr);
  document["current_collection"] = status.current_collection;
  document["missing"] = status.missing;
  document["extra"] = status.extra;
  document["differs"] = status.differs;
  document["unnamed"] = status.unnamed;
  document["repaired"] = status.repaired;
  document["differences"] = status.differences();
  document["sequence_first"] = status.sequence_first;
  document["sequence"] = status.sequence;
  return document;
}

Json DifferenceJson(const NamedDifference& difference) {
  Json document{{"collection", difference.collection}};
  if (IsUtf8(difference.key)) document["key"] = difference.key;
  document["key_base64"] = EncodeBase64(difference.key);
  document["kind"] = difference.kind;
  document["legacy"] = ValueJson(difference.legacy);
  document["unified"] = ValueJson(difference.unified);
  document["sequence"] = difference.sequence;
  return document;
}

}  // namespace switchback
