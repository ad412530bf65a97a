// The text of INFO.
#pragma once

#include <string>

#include "server/commands/command.hpp"
#include "server/commands/environment.hpp"

namespace switchback {

// The sections named, or the usual ones when none is: "# Server", "# Clients", "# Memory",
// "# Persistence", "# Stats", "# Replication", "# Keyspace", "# Switchback". Unknown names give
// nothing, as in Redis. Reads `reader` only for the keyspace. Errors: RecordReader::Count's.
Result<std::string> DescribeServer(Arguments sections, RecordReader& reader,
                                   const CommandEnvironment& environment);

}  // namespace switchback
