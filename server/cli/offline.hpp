// Commands that open a data directory themselves, when no server does.
#pragma once

#include <memory>
#include <string>

#include "common/result.hpp"
#include "service/db_service.hpp"

namespace switchback {

// Opens the service of an existing data directory, which remembers where its stores are. Errors:
// kNotFound when there is no such data directory (nothing is made), kConflict while a server has
// it, else those of DbService::Open. Root acts as its owner from here on (ActAsOwner).
Result<std::unique_ptr<DbService>> OpenOffline(const std::string& data_dir);

}  // namespace switchback
