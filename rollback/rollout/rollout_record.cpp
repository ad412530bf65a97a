#include "rollback/rollout/rollout_record.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "common/log.hpp"
#include "flags/flag_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDocument = "rollout";
constexpr int kVersion = 1;

constexpr std::array<const char*, kRolloutStateCount> kStateNames{
    "none", "running", "paused", "aborting", "aborted", "stopped-by-edit", "done"};

Json ToJson(const FlagPoint& point) {
  return {{"enabled", point.is_enabled}, {"share", point.share}, {"flag", point.flag}};
}

FlagPoint PointFrom(const Json& json) {
  return {json.at("enabled").get<bool>(), json.at("share").get<std::uint32_t>(),
          json.at("flag").get<std::string>()};
}

std::optional<RolloutState> StateFrom(const std::string& name) {
  for (std::size_t i = 0; i < kStateNames.size(); ++i) {
    if (name == kStateNames[i]) return static_cast<RolloutState>(i);
  }
  return std::nullopt;
}

// Texts by name, so that writing and reading cannot differ.
template <class Record, class Visit>
void ForEachText(Record& record, const Visit& visit) {
  visit("actor", record.actor);
  visit("reason", record.reason);
  visit("started_at", record.started_at);
  visit("ended_at", record.ended_at);
  visit("written", record.written);
  visit("note", record.note);
}

RolloutRecord RecordFrom(const Json& json) {
  RolloutRecord record;
  record.operation = json.at("operation").get<std::int64_t>();
  ForEachText(record, [&](const char* name, std::string& text) {
    text = json.at(name).get<std::string>();
  });
  for (const Json& step : json.at("steps")) record.steps.push_back(PointFrom(step));
  record.interval = std::chrono::milliseconds(json.at("interval_ms").get<std::int64_t>());
  record.operations_min = json.at("operations_min").get<std::uint64_t>();
  record.before = PointFrom(json.at("before"));
  record.step = json.at("step").get<std::size_t>();
  if (json.at("writing").is_object()) record.writing = PointFrom(json.at("writing"));
  record.elapsed = std::chrono::milliseconds(json.at("elapsed_ms").get<std::int64_t>());
  record.operations = json.at("operations").get<std::uint64_t>();
  record.is_cancelled = json.at("cancelled").get<bool>();
  return record;
}

}  // namespace

const char* RolloutStateName(RolloutState state) {
  return kStateNames[static_cast<std::size_t>(state)];
}

FlagPoint PointOf(const FlagRule* rule) {
  if (rule == nullptr) return {};
  // A plain `false` says nothing about a share.
  const bool has_share = rule->enabled() || !rule->is_boolean_form();
  return {rule->enabled(), has_share ? rule->configured_share() : 0, FlagRuleToJson(*rule)};
}

FlagPoint PointAt(const FlagRule* rule, bool is_enabled, std::uint32_t share) {
  FlagSettings settings;
  settings.salt = rule == nullptr ? std::string(kUnifiedFlagName) : rule->salt();
  if (rule != nullptr) {
    settings.allow = rule->allow();
    settings.deny = rule->deny();
  }
  settings.enabled = is_enabled;
  settings.share = share;
  return {is_enabled, share, FlagRuleToJson(FlagRule(std::move(settings)))};
}

std::string RolloutRecordToJson(const RolloutRecord& record) {
  Json json{{"version", kVersion},
            {"state", RolloutStateName(record.state)},
            {"operation", record.operation}};
  ForEachText(record, [&](const char* name, const std::string& text) { json[name] = text; });
  json["steps"] = Json::array();
  for (const FlagPoint& step : record.steps) json["steps"].push_back(ToJson(step));
  json["interval_ms"] = record.interval.count();
  json["operations_min"] = record.operations_min;
  json["before"] = ToJson(record.before);
  json["step"] = record.step;
  json["writing"] = record.writing ? ToJson(*record.writing) : Json();
  json["elapsed_ms"] = record.elapsed.count();
  json["operations"] = record.operations;
  json["cancelled"] = record.is_cancelled;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<RolloutRecord> RolloutRecordFromJson(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || json.value("version", Json()) != Json(kVersion)) return std::nullopt;
  try {
    const auto state = StateFrom(json.at("state").get<std::string>());
    RolloutRecord record = RecordFrom(json);
    if (!state || (*state != RolloutState::kNone && record.step >= record.steps.size()))
      return std::nullopt;
    record.state = *state;
    return record;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

Result<RolloutRecord> LoadRolloutRecord(Journal& journal) {
  const auto text = journal.Load(kDocument);
  if (!text) return Fail(WithContext(text.error(), "read the rollout's state"));
  if (!*text) return RolloutRecord();
  if (auto record = RolloutRecordFromJson(**text)) return *std::move(record);
  LogError("the rollout's state in the journal is not one of this version: it does not go on");
  return RolloutRecord();
}

Status StoreRolloutRecord(Journal& journal, const RolloutRecord& record) {
  return journal.Store(kDocument, RolloutRecordToJson(record));
}

}  // namespace switchback
