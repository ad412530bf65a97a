// Work in the background gives way to clients.
#pragma once

#include "common/clock.hpp"
#include "service/db_service.hpp"

namespace switchback {

// From now on, until it ends, this thread gets the processor after others, and as long as clients
// write, what it writes goes to the device in small portions, each waited for, so that the log's
// syncs get in between (backends/write_pacer.hpp). Harmless where it cannot be done. Both outlive
// the thread.
void YieldToClients(DbService& service, const Clock& clock);

}  // namespace switchback
