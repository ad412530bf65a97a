#include "server/http/verify_json.hpp"

#include <nlohmann/json.hpp>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

bool IsUtf8(const std::string& text) {
  try {
    static_cast<void>(Json(text).dump());
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

Json ValueJson(const std::optional<NamedDifference::Value>& value) {
  if (!value) return nullptr;
  return {{"bytes", value->bytes}, {"xxh3_128", value->hash}};
}

}  // namespace

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    unsigned group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i) {
      const bool is_padding = at + i > bytes.size();
      text += is_padding ? '=' : kDigits[group >> (18 - 6 * i) & 63];
    }
  }
  return text;
}

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
  document["key_base64"] = Base64(difference.key);
  document["kind"] = difference.kind;
  document["legacy"] = ValueJson(difference.legacy);
  document["unified"] = ValueJson(difference.unified);
  document["sequence"] = difference.sequence;
  return document;
}

}  // namespace switchback
