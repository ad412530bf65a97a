// `switchback flags watch`: follows the flags until SIGINT or SIGTERM.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "flags/flag_snapshot.hpp"
#include "server/cli/server_api.hpp"

namespace switchback {

// Each prints what holds now, then one line for each change, and returns the exit code.
int WatchFlagFile(const std::string& path, bool is_json);
int WatchServerFlags(const ServerOptions& options);

// The flags file of a data directory: the one its server watches if it says so, else the usual one.
std::string FlagsPathOf(const std::string& data_dir);

// One line for people, without a time: "revision 3  USE_UNIFIED_DB_SERVICE on 25 %".
std::string DescribeFlags(const FlagSnapshot& snapshot);

}  // namespace switchback
