// What the RESP server counts, for /metrics and INFO.
#pragma once

#include <cstdint>

namespace switchback {

struct RespServerStats {
  std::uint64_t connections = 0;          // open now
  std::uint64_t connections_total = 0;    // accepted since start
  std::uint64_t rejected = 0;             // closed at once: too many clients, protected mode
  std::uint64_t accept_failures = 0;      // accept() failed (no descriptors left)
  std::uint64_t commands = 0;             // executed, whatever came of it
  std::uint64_t command_errors = 0;       // answered with an error
  std::uint64_t bytes_in = 0;             // read from clients
  std::uint64_t bytes_out = 0;            // written to clients
  std::uint64_t slow_clients_closed = 0;  // output cap, or no progress for too long
  std::uint64_t protocol_errors = 0;      // connections closed because of malformed requests
};

}  // namespace switchback
