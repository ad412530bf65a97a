// The service's state as JSON: one place that names its members, for the control plane and for
// commands that open the service themselves. Units are in the names.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "migration/migration_status.hpp"
#include "server/http/process_stats.hpp"
#include "server/http/server_counters.hpp"
#include "service/db_service.hpp"

namespace switchback {

// Everything of ServiceStatus: generation, stage, epoch, last_sequence, routing, followers,
// memtable, log, writes.
nlohmann::ordered_json ServiceStatusJson(const ServiceStatus& status);

// By role and operation: count, errors and latency since start; then memtable_hits and failovers.
nlohmann::ordered_json OperationsJson(const MetricsSnapshot& metrics);

nlohmann::ordered_json MigrationJson(const MigrationStatus& status);
nlohmann::ordered_json RoutingJson(const RoutingStatus& routing);
nlohmann::ordered_json FlagStateJson(const FlagSnapshot& snapshot, std::uint64_t reload_failures);
nlohmann::ordered_json ServerCountersJson(const ServerCounters& counters);
nlohmann::ordered_json ProcessJson(const ProcessStats& process);

// {"count", "mean_us", "p50_us", "p95_us", "p99_us", "p999_us"}
nlohmann::ordered_json LatencyJson(const HistogramSnapshot& histogram);

}  // namespace switchback
