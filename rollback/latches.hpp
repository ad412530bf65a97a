// The latches of a data directory.
#pragma once

#include <memory>
#include <string>

#include "rollback/latch.hpp"
#include "service/db_service.hpp"

namespace switchback {

// <data-dir>/guard.json: keeps every key on legacy whatever the flags say. `service` and `clock`
// outlive it, here and below. Before any flag is published.
std::unique_ptr<Latch> OpenRoutingLatch(const std::string& data_dir, DbService& service,
                                        const Clock& clock);

// <data-dir>/safe-mode.json: refuses writes while nobody knows whether what is served is right;
// reads and rollbacks go on. Before the first client.
std::unique_ptr<Latch> OpenSafeMode(const std::string& data_dir, DbService& service,
                                    const Clock& clock);

// What a person can do about safe mode that began because of an operation of that kind in the
// journal, one sentence each.
std::string SafeModeChoices(const std::string& operation_kind);

}  // namespace switchback
