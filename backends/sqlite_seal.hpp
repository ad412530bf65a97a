// Whether a SQLite file changed while no switchback had it open. SQLite keeps no number that every
// commit raises and that survives, so a clean close leaves the file's size and time of change
// beside it, as PATH.seal; the next open compares and removes it. Best effort: after a crash there
// is no seal and the file counts as ours; a copy made by hand looks foreign, and that is right as
// well.
//
// No call opens the database file: closing it would drop this process's locks on it.
#pragma once

#include <string>

#include "common/result.hpp"

namespace switchback {

enum class SealVerdict {
  kNone,     // no seal: not closed cleanly, or never ours
  kIntact,   // as we left it
  kForeign,  // somebody has changed it, or was seen changing it
};

// The database must be closed.
SealVerdict CheckSqliteSeal(const std::string& database_path);
// The database is closed and complete on its own. Durable on return.
Status WriteSqliteSeal(const std::string& database_path);
// So that a foreign commit is not forgotten by a restart. Durable on return.
Status WriteForeignSqliteSeal(const std::string& database_path);
// Before the first commit of ours: an old seal that comes back after a power cut would accuse us.
Status RemoveSqliteSeal(const std::string& database_path);

}  // namespace switchback
