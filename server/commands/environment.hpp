// What all commands share: the service and the server's own tables. One per server; every member is
// thread-safe or constant once the server has started.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "common/clock.hpp"
#include "server/access/login_limiter.hpp"
#include "server/access/token_registry.hpp"
#include "server/commands/client_registry.hpp"
#include "server/commands/collection_numbers.hpp"
#include "server/commands/scan_cursors.hpp"
#include "server/resp/limits.hpp"
#include "server/resp/server_stats.hpp"
#include "service/db_service.hpp"

namespace switchback {

struct CommandEnvironment {
  // `service` outlives this.
  CommandEnvironment(DbService& db_service, const std::map<unsigned, std::string>& numbers)
      : service(db_service), collections(db_service.catalog(), numbers) {}

  DbService& service;
  const CollectionNumbers collections;
  ScanCursors scan_cursors;
  ClientRegistry clients;
  const Clock* clock = &SystemClock();
  // Of the default user; "" = none: every client counts as authenticated, unless there are tokens.
  std::string password;
  const TokenRegistry* tokens = nullptr;  // named users; null: there are none
  LoginLimiter* logins = nullptr;         // null: guessing is not slowed down
  [[nodiscard]] bool needs_login() const { return !password.empty() || tokens != nullptr; }
  std::size_t value_bytes_max = kValueBytesMaxDefault;
  std::size_t clients_max = kClientCountMaxDefault;
  std::size_t output_bytes_max = kOutputBytesMaxDefault;
  std::string bind_address;
  std::uint16_t port = 0;
  unsigned thread_count = 1;
  SteadyTime started_at = SystemClock().Now();
  std::function<RespServerStats()> stats = [] { return RespServerStats{}; };
};

}  // namespace switchback
