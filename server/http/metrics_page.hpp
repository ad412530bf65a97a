// The page that `GET /metrics` answers with.
#pragma once

#include <string>
#include <vector>

#include "migration/migration_status.hpp"
#include "migration/verify_status.hpp"
#include "rollback/guard/guard.hpp"
#include "rollback/notify/sink_status.hpp"
#include "rollback/rollout/rollout.hpp"
#include "server/http/process_stats.hpp"
#include "server/http/server_counters.hpp"
#include "service/db_service.hpp"
#include "service/metrics.hpp"

namespace switchback {

struct MetricsInput {
  ServiceStatus status;
  MetricsSnapshot metrics;
  ServerCounters counters;
  ProcessStats process;
  VerifyStatus verify = {};
  MigrationStatus migration = {};
  RolloutStatus rollout = {};
  GuardStatus guard = {};
  std::vector<SinkStatus> notifications = {};
};

inline constexpr char kMetricsContentType[] = "text/plain; version=0.0.4; charset=utf-8";

// Names start with `switchback_`, those of the process with `process_` as everywhere; units are
// seconds and bytes, shares are 0..1. Pure.
std::string RenderMetrics(const MetricsInput& input);

}  // namespace switchback
