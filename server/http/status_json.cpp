#include "server/http/status_json.hpp"

#include <nlohmann/json.hpp>

#include "common/text.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

// null = all.
Json CollectionsJson(const std::vector<std::string>& collections) {
  return collections.empty() ? Json(nullptr) : Json(collections);
}

Json FollowerJson(const FollowerStatus& follower) {
  Json unservable = Json::array();
  for (const UnservableCollection& collection : follower.unservable)
    unservable.push_back({{"name", collection.name}, {"reason", collection.reason}});
  return {{"state", FollowerStateName(follower.state)},
          {"reason", follower.reason},
          {"engine", follower.engine},
          {"path", follower.path},
          {"applied_sequence", follower.applied_sequence},
          {"durable_sequence", follower.durable_sequence},
          {"lag_batches", follower.lag_batches},
          {"lag_ms", follower.lag.count()},
          {"apply_failures", follower.apply_failures},
          {"file_bytes", follower.store.file_bytes},
          {"map_bytes", follower.store.map_bytes},
          {"wal_bytes", follower.store.wal_bytes},
          {"map_growths", follower.store.map_growths},
          {"collections", CollectionsJson(follower.collections)},
          {"unservable", std::move(unservable)}};
}

Json DoorJson(const DoorCounters& door) {
  return {{"connections", door.connections},
          {"connections_total", door.connections_total},
          {"rejected", door.rejected},
          {"requests", door.requests},
          {"bytes_in", door.bytes_in},
          {"bytes_out", door.bytes_out},
          {"slow_clients_closed", door.slow_clients_closed},
          {"protocol_errors", door.protocol_errors}};
}

Json DigestJson(const std::optional<ValueDigest>& value) {
  if (!value) return nullptr;
  return {{"bytes", value->bytes}, {"xxh3_128", value->HashHex()}};
}

Json ShadowJson(const ShadowStatus& shadow) {
  Json samples = Json::array();
  for (const ShadowMismatch& mismatch : shadow.samples) {
    samples.push_back({{"collection", mismatch.collection},
                       {"key", mismatch.key},
                       {"key_base64", EncodeBase64(mismatch.key)},
                       {"legacy", DigestJson(mismatch.values.legacy)},
                       {"unified", DigestJson(mismatch.values.unified)},
                       {"sequence", mismatch.sequence}});
  }
  return {{"percentage", shadow.percentage}, {"checked", shadow.checked},
          {"mismatches", shadow.mismatches}, {"dropped", shadow.dropped},
          {"errors", shadow.errors},         {"samples", std::move(samples)}};
}

double Microseconds(std::uint64_t ns) {
  return static_cast<double>(ns) / 1000;
}

}  // namespace

Json LatencyJson(const HistogramSnapshot& histogram) {
  const std::uint64_t count = histogram.Count();
  return {{"count", count},
          {"mean_us", count == 0 ? 0 : Microseconds(histogram.total_ns / count)},
          {"p50_us", Microseconds(histogram.QuantileNs(0.5))},
          {"p95_us", Microseconds(histogram.QuantileNs(0.95))},
          {"p99_us", Microseconds(histogram.QuantileNs(0.99))},
          {"p999_us", Microseconds(histogram.QuantileNs(0.999))}};
}

Json RoutingJson(const RoutingStatus& routing) {
  return {{"flag", kUnifiedFlagName},
          {"flag_revision", routing.flag_revision},
          {"desired_percentage", routing.desired_percentage},
          {"effective_percentage", routing.effective_percentage},
          {"overrides", routing.overrides},
          {"is_refused", routing.is_refused},
          {"hold_reason", routing.hold_reason},
          {"reason", routing.reason},
          {"flips", routing.flips}};
}

Json ServiceStatusJson(const ServiceStatus& status) {
  Json followers = Json::object();
  for (const Role role : kRoles)
    followers[RoleName(role)] = FollowerJson(status.followers[Index(role)]);
  Json document{{"generation", status.generation},
                {"previous_generation", status.previous_generation},
                {"stage", status.stage},
                {"is_legacy_retired", status.is_legacy_retired},
                {"kept_legacies", status.kept_legacies},
                {"epoch", status.epoch},
                {"last_sequence", status.last_sequence},
                {"routing", RoutingJson(status.routing)},
                {"followers", std::move(followers)}};
  document["memtable"] = {{"bytes", status.memtable_bytes},
                          {"bytes_max", status.memtable_bytes_max},
                          {"records", status.memtable_records},
                          {"records_max", status.memtable_records_max},
                          {"segments", status.memtable_segments}};
  document["log"] = {{"bytes", status.log_bytes},
                     {"files", status.log_files},
                     {"first_sequence", status.log_first_sequence},
                     {"is_failed", status.is_log_failed},
                     {"error", status.log_error},
                     {"sync", LatencyJson(status.log_sync)}};
  document["writes"] = {{"count", status.writes},
                        {"errors", status.write_errors},
                        {"hold_reason", status.write_hold_reason},
                        {"batches", status.batches},
                        {"queue_bytes", status.queue_bytes},
                        {"backpressure_waits", status.backpressure_waits},
                        {"backpressure_refusals", status.backpressure_refusals},
                        {"latency", LatencyJson(status.write_latency)}};
  document["shadow_reads"] = ShadowJson(status.shadow_reads);
  return document;
}

Json OperationsJson(const MetricsSnapshot& metrics) {
  Json document = Json::object();
  for (const Role role : kRoles) {
    Json& of_role = document[RoleName(role)];
    for (std::size_t index = 0; index < kOperationCount; ++index) {
      const auto operation = static_cast<Operation>(index);
      const MetricsSnapshot::PerOperation& counters = metrics.Of(role, operation);
      Json& of_operation = of_role[OperationName(operation)];
      of_operation = LatencyJson(counters.latency);
      of_operation["errors"] = counters.errors;
    }
  }
  document["memtable_hits"] = metrics.memtable_hits;
  document["failovers"] = metrics.failovers;
  return document;
}

namespace {

Json Optional(const std::optional<double>& number) {
  return number ? Json(*number) : Json(nullptr);
}

Json SignalsJson(const std::vector<ThrottleSignal>& signals) {
  Json list = Json::array();
  for (const ThrottleSignal& signal : signals) {
    list.push_back({{"signal", signal.name},
                    {"value", Optional(signal.value)},
                    {"limit", signal.limit},
                    {"is_limiting", signal.is_limiting}});
  }
  return list;
}

Json RollbackJson(const RollbackProgress& rollback) {
  return {{"stage", rollback.stage},
          {"step", rollback.step},
          {"step_index", rollback.step_index},
          {"step_count", rollback.step_count},
          {"percent", rollback.percent},
          {"eta_seconds", Optional(rollback.eta_seconds)},
          {"elapsed_seconds", rollback.elapsed_seconds},
          {"errors", rollback.errors}};
}

void AddAnswer(const char* name, bool is_yes, const std::string& reason, Json& document) {
  document[name] = is_yes;
  document[std::string(name) + "_reason"] = reason;
}

}  // namespace

Json MigrationJson(const MigrationStatus& status) {
  Json document{{"state", status.state},
                {"phase", status.phase},
                {"target", status.target},
                {"collections", CollectionsJson(status.collections)},
                {"operation", status.operation},
                {"actor", status.actor},
                {"reason", status.reason},
                {"started_at", status.started_at},
                {"records_done", status.records_done},
                {"records_total", status.records_total},
                {"bytes_done", status.bytes_done},
                {"records_per_second", status.records_per_second},
                {"bytes_per_second", status.bytes_per_second},
                {"percent", status.percent}};
  document["eta_seconds"] = Optional(status.eta_seconds);
  document["lag_batches"] = status.lag_batches;
  document["current_collection"] = status.current_collection;
  document["error"] = status.error;
  document["waiting"] = status.waiting;
  document["note"] = status.note;
  document["last_result"] = status.last_result;
  document["kept_legacy"] = status.kept_legacy;
  document["active_seconds"] = status.active_seconds;
  document["seconds_max"] = status.seconds_max;
  document["invalid_records"] = status.invalid_records;
  document["verify"] = {{"outcome", status.verify.outcome},
                        {"at", status.verify.at},
                        {"sequence", status.verify.sequence},
                        {"records", status.verify.records},
                        {"differences", status.verify.differences}};
  document["throttle"] = {{"pace", status.pace}, {"signals", SignalsJson(status.signals)}};
  document["settings"] = Json::parse(MigrationSettingsToJson(status.settings));
  AddAnswer("can_flip", status.can_flip, status.can_flip_reason, document);
  AddAnswer("can_roll_back", status.can_roll_back, status.can_roll_back_reason, document);
  document["roll_back_seconds"] = Optional(status.roll_back_seconds);
  AddAnswer("can_complete", status.can_complete, status.can_complete_reason, document);
  document["rollback"] = status.rollback ? RollbackJson(*status.rollback) : Json(nullptr);
  return document;
}

Json FlagStateJson(const FlagSnapshot& snapshot, std::uint64_t reload_failures) {
  return {{"revision", snapshot.revision},         {"load_count", snapshot.load_count},
          {"content_hash", snapshot.content_hash}, {"is_from_file", snapshot.is_from_file},
          {"warning", snapshot.warning},           {"reload_failures", reload_failures}};
}

Json ServerCountersJson(const ServerCounters& counters) {
  return {{"resp", DoorJson(counters.resp)}, {"http", DoorJson(counters.http)}};
}

Json ProcessJson(const ProcessStats& process) {
  return {{"cpu_seconds", process.cpu_seconds},
          {"resident_bytes", process.resident_bytes},
          {"open_fds", process.open_fds},
          {"max_fds", process.max_fds}};
}

}  // namespace switchback
