// What the server counts around the service, as the metrics page and the status show it.
#pragma once

#include <cstdint>
#include <string>

#include "common/clock.hpp"

namespace switchback {

// One door: RESP or HTTP.
struct DoorCounters {
  std::uint64_t connections = 0;  // open now
  std::uint64_t connections_total = 0;
  std::uint64_t rejected = 0;  // refused at the limit of connections
  std::uint64_t requests = 0;  // commands, or HTTP requests
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::uint64_t slow_clients_closed = 0;  // left too much unread, or took too long
  std::uint64_t protocol_errors = 0;
};

struct ServerCounters {
  DoorCounters resp;
  DoorCounters http;
  std::uint64_t flag_reload_failures = 0;
};

// Who this process is.
struct ServerIdentity {
  std::string data_dir;
  std::string flags_path;
  SteadyTime started_at{};
};

}  // namespace switchback
