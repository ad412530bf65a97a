// Entries in the history of a data directory that no server runs on.
#pragma once

#include <string>

namespace switchback {

// Who did what, for the history. Where there is no journal, or it cannot be written, there is
// nothing to tell: what was done counts all the same, and standard error says so.
void NoteInHistory(const std::string& data_dir, const std::string& action,
                   const std::string& detail);

}  // namespace switchback
