// Work in the background gives way to clients.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "service/db_service.hpp"

namespace switchback {

enum class Urgency : std::uint8_t {
  kAwaited,     // an operator waits for it: it may be felt
  kBackground,  // nobody shall notice
};

// From now on, until it ends, this thread gets the processor after others, and as long as clients
// write, what it writes goes to the device in small portions, each waited for, so that the log's
// syncs get in between (backends/write_pacer.hpp). In the background it is the last one to get the
// processor, and pauses four times as long as a portion took. Harmless where it cannot be done.
// Both outlive the thread.
void YieldToClients(DbService& service, const Clock& clock, Urgency urgency);

// Does all of it at once, each on a thread of its own that yields to clients, and waits for all.
// Gives the first failure in their order.
Status RunTogether(DbService& service, const Clock& clock, Urgency urgency,
                   const std::vector<std::function<Status()>>& work);

}  // namespace switchback
