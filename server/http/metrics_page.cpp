#include "server/http/metrics_page.hpp"

#include <chrono>

#include "server/http/prometheus.hpp"
#include "server/version.hpp"

namespace switchback {
namespace {

using enum MetricType;

std::uint64_t AsFlag(bool value) {
  return value ? 1 : 0;
}

void Value(PrometheusText& text, std::string_view name, MetricType type, std::uint64_t value,
           std::string_view help) {
  text.Begin(name, type, help);
  text.Sample(value);
}

// One sample for each role and operation, taken by `pick` from its counters.
template <class Pick>
void PerOperation(PrometheusText& text, const MetricsSnapshot& metrics, const Pick& pick) {
  for (const Role role : kRoles) {
    for (std::size_t index = 0; index < kOperationCount; ++index) {
      const auto operation = static_cast<Operation>(index);
      text.Sample(pick(metrics.Of(role, operation)),
                  {{"role", RoleName(role)}, {"operation", OperationName(operation)}});
    }
  }
}

// One sample for each role, taken by `pick` from its follower.
template <class Pick>
void PerFollower(PrometheusText& text, const ServiceStatus& status, std::string_view name,
                 MetricType type, std::string_view help, const Pick& pick) {
  text.Begin(name, type, help);
  for (const Role role : kRoles)
    text.Sample(pick(status.followers[Index(role)]), {{"role", RoleName(role)}});
}

void AddOperations(PrometheusText& text, const MetricsSnapshot& metrics) {
  using Counters = MetricsSnapshot::PerOperation;
  text.Begin("switchback_operations_total", kCounter,
             "Operations of each role: reads (get, mget, scan) and transactions applied (apply).");
  PerOperation(text, metrics, [](const Counters& of) { return of.latency.Count(); });
  text.Begin("switchback_operation_errors_total", kCounter,
             "Operations that failed in the role's store.");
  PerOperation(text, metrics, [](const Counters& of) { return of.errors; });
  text.Begin("switchback_operation_duration_seconds", kHistogram,
             "Time of an operation of a role, failed ones included.");
  PerOperation(text, metrics, [](const Counters& of) { return of.latency; });
  Value(text, "switchback_memtable_hits_total", kCounter, metrics.memtable_hits,
        "Reads answered from the memtable.");
  Value(text, "switchback_read_failovers_total", kCounter, metrics.failovers,
        "Reads that the other role answered after an error.");
}

void AddWrites(PrometheusText& text, const ServiceStatus& status) {
  Value(text, "switchback_writes_total", kCounter, status.writes, "Writes handed to the pipeline.");
  Value(text, "switchback_write_errors_total", kCounter, status.write_errors,
        "Writes that were answered with an error.");
  Value(text, "switchback_batches_total", kCounter, status.batches,
        "Batches appended to the commit log.");
  text.Begin("switchback_write_duration_seconds", kHistogram,
             "Time from handing over a write to its acknowledgement.");
  text.Sample(status.write_latency);
  text.Begin("switchback_log_sync_duration_seconds", kHistogram,
             "Time of one append to the commit log with its fdatasync.");
  text.Sample(status.log_sync);
  Value(text, "switchback_queue_bytes", kGauge, status.queue_bytes,
        "Bytes of writes that wait for the pipeline.");
  Value(text, "switchback_backpressure_waits_total", kCounter, status.backpressure_waits,
        "Batches that waited because the memtable was at its budget.");
  Value(text, "switchback_backpressure_refusals_total", kCounter, status.backpressure_refusals,
        "Writes refused because a limit did not give way in time.");
}

void AddRouting(PrometheusText& text, const MetricsInput& input) {
  const RoutingStatus& routing = input.status.routing;
  text.Begin("switchback_flag_desired_ratio", kGauge,
             "Share of keys that the flag sends to unified, 0 to 1.");
  text.Sample(routing.desired_percentage / 100);
  text.Begin("switchback_flag_effective_ratio", kGauge,
             "Share of keys that unified answers in fact, 0 to 1.");
  text.Sample(routing.effective_percentage / 100);
  Value(text, "switchback_flag_refused", kGauge, AsFlag(routing.is_refused),
        "1 while the flag asks for a store that could not serve when it was set.");
  Value(text, "switchback_flag_revision", kGauge, routing.flag_revision,
        "Number of the flags' content in force.");
  Value(text, "switchback_flag_reload_failures_total", kCounter,
        input.counters.flag_reload_failures, "Reads of the flags file that found no valid flags.");
  Value(text, "switchback_flips_total", kCounter, routing.flips,
        "Changes of the effective routing since start.");
  text.Begin("switchback_stage", kGauge, "1 for the stage that the service is in.");
  for (const char* stage : {"off", "dualwrite", "shadow", "live", "rampdown", "complete"})
    text.Sample(AsFlag(input.status.stage == stage), {{"stage", stage}});
}

void AddFollowerProgress(PrometheusText& text, const ServiceStatus& status) {
  using std::chrono::duration;
  PerFollower(text, status, "switchback_follower_lag_batches", kGauge,
              "Batches of the log that the store has not applied.",
              [](const FollowerStatus& of) { return of.lag_batches; });
  PerFollower(text, status, "switchback_follower_lag_seconds", kGauge,
              "Age of the oldest batch that the store has not applied.",
              [](const FollowerStatus& of) { return duration<double>(of.lag).count(); });
  PerFollower(text, status, "switchback_follower_applied_sequence", kGauge,
              "Number of the last batch that the store has applied.",
              [](const FollowerStatus& of) { return of.applied_sequence; });
  PerFollower(text, status, "switchback_follower_durable_sequence", kGauge,
              "Number of the last batch that the store would keep through a power cut.",
              [](const FollowerStatus& of) { return of.durable_sequence; });
  PerFollower(text, status, "switchback_follower_apply_failures_total", kCounter,
              "Transactions that the store failed to apply.",
              [](const FollowerStatus& of) { return of.apply_failures; });
  text.Begin("switchback_follower_state", kGauge, "1 for the state that the follower is in.");
  for (const Role role : kRoles) {
    const FollowerState current = status.followers[Index(role)].state;
    for (const FollowerState state :
         {FollowerState::kDetached, FollowerState::kBackfilling, FollowerState::kCatchingUp,
          FollowerState::kInSync, FollowerState::kFailed}) {
      text.Sample(AsFlag(state == current),
                  {{"role", RoleName(role)}, {"state", FollowerStateName(state)}});
    }
  }
}

void AddStores(PrometheusText& text, const ServiceStatus& status) {
  PerFollower(text, status, "switchback_store_file_bytes", kGauge, "Size of the store's main file.",
              [](const FollowerStatus& of) { return of.store.file_bytes; });
  PerFollower(text, status, "switchback_store_map_bytes", kGauge,
              "Size of the LMDB memory map; 0 for other engines.",
              [](const FollowerStatus& of) { return of.store.map_bytes; });
  PerFollower(text, status, "switchback_store_wal_bytes", kGauge,
              "Size of the SQLite write-ahead log; 0 for other engines.",
              [](const FollowerStatus& of) { return of.store.wal_bytes; });
  PerFollower(text, status, "switchback_store_map_growths_total", kCounter,
              "Times the LMDB memory map was grown while serving.",
              [](const FollowerStatus& of) { return of.store.map_growths; });
}

void AddLogAndMemtable(PrometheusText& text, const ServiceStatus& status) {
  Value(text, "switchback_memtable_bytes", kGauge, status.memtable_bytes,
        "Bytes of logged effects that not every serving store has applied.");
  Value(text, "switchback_memtable_bytes_max", kGauge, status.memtable_bytes_max,
        "The memtable's budget.");
  Value(text, "switchback_memtable_records", kGauge, status.memtable_records,
        "Logged effects that not every serving store has applied.");
  Value(text, "switchback_memtable_records_max", kGauge, status.memtable_records_max,
        "The memtable's budget in records.");
  Value(text, "switchback_memtable_segments", kGauge, status.memtable_segments,
        "Segments of the memtable, each one transaction of a follower.");
  Value(text, "switchback_log_bytes", kGauge, status.log_bytes, "Size of the commit log on disk.");
  Value(text, "switchback_log_files", kGauge, status.log_files, "Files of the commit log.");
  Value(text, "switchback_log_failed", kGauge, AsFlag(status.is_log_failed),
        "1 while the log cannot be made durable, so that writes are refused.");
  Value(text, "switchback_writes_held", kGauge, AsFlag(!status.write_hold_reason.empty()),
        "1 while writes are refused on purpose: safe mode, or the flag READ_ONLY.");
  Value(text, "switchback_last_sequence", kGauge, status.last_sequence,
        "Number of the last acknowledged batch.");
  Value(text, "switchback_epoch", kGauge, status.epoch, "The timeline that batches belong to.");
}

void AddDoors(PrometheusText& text, const ServerCounters& counters) {
  struct Column {
    const char* name;
    MetricType type;
    std::uint64_t DoorCounters::*member;
    const char* help;
  };
  static constexpr Column kColumns[] = {
      {"switchback_connections", kGauge, &DoorCounters::connections, "Open connections."},
      {"switchback_connections_total", kCounter, &DoorCounters::connections_total,
       "Connections accepted."},
      {"switchback_connections_rejected_total", kCounter, &DoorCounters::rejected,
       "Connections refused at the limit."},
      {"switchback_requests_total", kCounter, &DoorCounters::requests,
       "RESP commands and HTTP requests."},
      {"switchback_received_bytes_total", kCounter, &DoorCounters::bytes_in,
       "Bytes read from clients."},
      {"switchback_sent_bytes_total", kCounter, &DoorCounters::bytes_out,
       "Bytes written to clients."},
      {"switchback_slow_clients_closed_total", kCounter, &DoorCounters::slow_clients_closed,
       "Connections closed because the client left too much unread or took too long."},
      {"switchback_protocol_errors_total", kCounter, &DoorCounters::protocol_errors,
       "Malformed requests."},
  };
  for (const Column& column : kColumns) {
    text.Begin(column.name, column.type, column.help);
    text.Sample(counters.resp.*column.member, {{"protocol", "resp"}});
    text.Sample(counters.http.*column.member, {{"protocol", "http"}});
  }
}

void AddShadowReads(PrometheusText& text, const ShadowStatus& shadow) {
  text.Begin("switchback_shadow_read_ratio", kGauge,
             "Share of reads that is repeated on the other store.");
  text.Sample(shadow.percentage / 100);
  Value(text, "switchback_shadow_reads_total", kCounter, shadow.checked,
        "Keys that were compared in both stores after a read.");
  Value(text, "switchback_shadow_mismatches_total", kCounter, shadow.mismatches,
        "Of these, keys that the two stores did not hold alike.");
  Value(text, "switchback_shadow_reads_dropped_total", kCounter, shadow.dropped,
        "Keys that were not compared because the queue was full or a store not in sync.");
  Value(text, "switchback_shadow_read_errors_total", kCounter, shadow.errors,
        "Keys that were not compared because a store could not be read.");
}

void AddVerify(PrometheusText& text, const VerifyStatus& verify) {
  text.Begin("switchback_verify_state", kGauge, "1 for the state that the newest verify is in.");
  for (const char* state :
       {"none", "running", "interrupted", "clean", "differences", "failed", "cancelled"})
    text.Sample(std::uint64_t{verify.state == state ? 1u : 0u}, {{"state", state}});
  Value(text, "switchback_verify_records_total", kCounter, verify.records_since_start,
        "Records compared in both stores since the process started.");
  Value(text, "switchback_verify_bytes_total", kCounter, verify.bytes_since_start,
        "Bytes of keys and values compared since the process started.");
  Value(text, "switchback_verify_differences_total", kCounter, verify.differences_since_start,
        "Records found to differ since the process started, once a pass.");
  Value(text, "switchback_verify_passes_total", kCounter, verify.passes_since_start,
        "Passes over everything finished since the process started.");
  text.Begin("switchback_verify_differences", kGauge,
             "Records of the newest pass that differ, by kind, as seen from unified.");
  text.Sample(verify.missing, {{"kind", "missing"}});
  text.Sample(verify.extra, {{"kind", "extra"}});
  text.Sample(verify.differs, {{"kind", "differs"}});
  text.Begin("switchback_verify_progress_ratio", kGauge, "How far the newest pass is.");
  text.Sample(verify.percent / 100);
}

void AddMigration(PrometheusText& text, const MigrationStatus& migration) {
  text.Begin("switchback_migration_state", kGauge, "1 for the state that the migration is in.");
  for (const char* state : {"none", "running", "paused", "complete", "failed", "rolling-back",
                            "rolled-back", "locked", "completing", "completed"})
    text.Sample(AsFlag(migration.state == state), {{"state", state}});
  Value(text, "switchback_migration_records", kGauge, migration.records_done,
        "Records that the newest copy has brought to its target.");
  Value(text, "switchback_migration_records_of", kGauge, migration.records_total,
        "Records in its source, as of a moment ago.");
  Value(text, "switchback_migration_invalid_records", kGauge, migration.invalid_records,
        "Records of the newest copy that broke their collection's rule.");
  text.Begin("switchback_migration_pace_ratio", kGauge,
             "Share of time that the throttle allows the copy.");
  text.Sample(migration.pace);
  text.Begin("switchback_migration_progress_ratio", kGauge, "How far it is; 1 when complete.");
  text.Sample(migration.percent / 100);
  text.Begin("switchback_migration_rollback_seconds", kGauge,
             "How long the newest way back of this process has taken; 0 when there was none.");
  text.Sample(migration.rollback ? migration.rollback->elapsed_seconds : 0.0);
}

void AddRollout(PrometheusText& text, const RolloutStatus& status) {
  const RolloutRecord& record = status.record;
  text.Begin("switchback_rollout_state", kGauge, "1 for the state that the newest rollout is in.");
  for (std::size_t i = 0; i < kRolloutStateCount; ++i) {
    const auto state = static_cast<RolloutState>(i);
    text.Sample(AsFlag(record.state == state), {{"state", RolloutStateName(state)}});
  }
  const bool is_there = !record.steps.empty();
  Value(text, "switchback_rollout_step", kGauge, is_there ? record.step + 1 : 0,
        "Number of the step that the newest rollout is at; 0 when there was none.");
  Value(text, "switchback_rollout_steps", kGauge, record.steps.size(),
        "Steps of the newest rollout.");
  text.Begin("switchback_rollout_share", kGauge,
             "Share of keys that the step sends to unified, 0 to 1.");
  text.Sample(is_there ? record.steps[record.step].share / 100'000.0 : 0.0);
  Value(text, "switchback_rollout_step_operations", kGauge, record.operations,
        "Reads of the step that unified has answered without an error.");
  Value(text, "switchback_rollout_holding", kGauge, AsFlag(!status.hold.empty()),
        "1 while something keeps a running rollout from going on.");
}

void AddGuard(PrometheusText& text, const GuardStatus& guard) {
  text.Begin("switchback_guard_state", kGauge, "1 for the state that the guard is in.");
  for (const char* state : {"off", "watching", "proposed", "waiting", "tripped"})
    text.Sample(AsFlag(guard.state == state), {{"state", state}});
  Value(text, "switchback_guard_trips_total", kCounter, guard.trips,
        "Times that the guard has gone back to legacy.");
  Value(text, "switchback_guard_dry_trips_total", kCounter, guard.dry_trips,
        "Times that it would have, had it not been a dry run.");
  const auto add = [&](const char* name, const char* help, const auto& pick) {
    text.Begin(name, kGauge, help);
    for (const GuardStreamStatus& stream : guard.streams)
      text.Sample(pick(stream), {{"stream", GuardStreamName(stream.stream)}});
  };
  using Stream = const GuardStreamStatus&;
  add("switchback_guard_evidence", "What speaks against unified; the guard trips at the limit.",
      [](Stream stream) { return stream.sum; });
  add("switchback_guard_limit", "The evidence at which the guard trips.",
      [](Stream stream) { return stream.limit; });
  add("switchback_guard_tolerated_rate", "Rate of bad operations that is tolerated, 0 to 1.",
      [](Stream stream) { return stream.rates.tolerated; });
  add("switchback_guard_bad_rate",
      "Rate of bad operations in the newest tick that had some, 0 to 1.", [](Stream stream) {
        return stream.count == 0
                   ? 0.0
                   : static_cast<double>(stream.bad) / static_cast<double>(stream.count);
      });
  text.Begin("switchback_guard_slow_threshold_seconds", kGauge,
             "From when on a read, or a store's lag, counts as slow.");
  for (const GuardStreamStatus& stream : guard.streams) {
    if (stream.threshold_us)
      text.Sample(*stream.threshold_us / 1e6, {{"stream", GuardStreamName(stream.stream)}});
  }
}

void AddNotifications(PrometheusText& text, const std::vector<SinkStatus>& sinks) {
  struct Outcome {
    const char* name;
    std::uint64_t SinkStatus::*member;
  };
  static constexpr Outcome kOutcomes[] = {{"delivered", &SinkStatus::delivered},
                                          {"failed", &SinkStatus::failed},
                                          {"refused", &SinkStatus::refused},
                                          {"expired", &SinkStatus::expired},
                                          {"dropped", &SinkStatus::dropped}};
  text.Begin("switchback_notifications_total", kCounter,
             "Notifications by what became of them; of those that failed, attempts.");
  for (const SinkStatus& sink : sinks) {
    for (const Outcome& outcome : kOutcomes)
      text.Sample(sink.*outcome.member, {{"sink", sink.name}, {"outcome", outcome.name}});
  }
  text.Begin("switchback_notifications_waiting", kGauge,
             "Notifications that the sink has not taken yet.");
  for (const SinkStatus& sink : sinks) text.Sample(sink.waiting, {{"sink", sink.name}});
}

void AddProcess(PrometheusText& text, const ProcessStats& process, const std::string& log_id) {
  // OpenTelemetry's resource, by the names that its collectors look for (source: "Prometheus and
  // OpenMetrics Compatibility", resource attributes; "Resource semantic conventions", service).
  text.Begin("target_info", kGauge, "Always 1; what the labels say is true of every metric here.");
  text.Sample(std::uint64_t{1}, {{"service_name", "switchback"},
                                 {"service_version", kVersion},
                                 {"service_instance_id", log_id}});
  text.Begin("switchback_build_info", kGauge, "Always 1; the version is in the label.");
  text.Sample(std::uint64_t{1}, {{"version", kVersion}});
  text.Begin("process_cpu_seconds_total", kCounter, "Total user and system CPU time in seconds.");
  text.Sample(process.cpu_seconds);
  text.Begin("process_start_time_seconds", kGauge,
             "Start time of the process since unix epoch in seconds.");
  text.Sample(process.start_time_seconds);
  Value(text, "process_resident_memory_bytes", kGauge, process.resident_bytes,
        "Resident memory size in bytes.");
  Value(text, "process_open_fds", kGauge, process.open_fds, "Number of open file descriptors.");
  Value(text, "process_max_fds", kGauge, process.max_fds,
        "Maximum number of open file descriptors.");
}

}  // namespace

std::string RenderMetrics(const MetricsInput& input) {
  PrometheusText text;
  AddOperations(text, input.metrics);
  AddWrites(text, input.status);
  AddRouting(text, input);
  AddFollowerProgress(text, input.status);
  AddStores(text, input.status);
  AddLogAndMemtable(text, input.status);
  AddDoors(text, input.counters);
  AddShadowReads(text, input.status.shadow_reads);
  AddVerify(text, input.verify);
  AddMigration(text, input.migration);
  AddRollout(text, input.rollout);
  AddGuard(text, input.guard);
  AddNotifications(text, input.notifications);
  AddProcess(text, input.process, input.status.log_id);
  return text.Take();
}

}  // namespace switchback
