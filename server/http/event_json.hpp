// The data of events (docs/protocol.md, "Events"). What always moves a little while clients write
// (counts, lags) is left out unless something is under way: an event means that something happened.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "migration/journal.hpp"
#include "migration/migration_status.hpp"
#include "migration/verify_status.hpp"
#include "rollback/backup_manager.hpp"
#include "service/db_service.hpp"

namespace switchback {

nlohmann::ordered_json MigrationEventJson(const MigrationStatus& status);
nlohmann::ordered_json VerifyEventJson(const VerifyStatus& status);
nlohmann::ordered_json FlagsEventJson(const RoutingStatus& routing, const std::string& warning);
nlohmann::ordered_json FollowerEventJson(Role role, const FollowerStatus& follower);
nlohmann::ordered_json ServerEventJson(const ServiceStatus& status);
nlohmann::ordered_json OperationEventJson(const OperationRecord& operation);

// One a stage, from the stage with this index on; the present state at the end.
std::vector<nlohmann::ordered_json> BackupEventsJson(const BackupOperation& operation,
                                                     std::size_t first_stage);

}  // namespace switchback
