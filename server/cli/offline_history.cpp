#include "server/cli/offline_history.hpp"

#include <filesystem>
#include <iostream>

#include "migration/journal.hpp"
#include "server/process.hpp"

namespace switchback {

void NoteInHistory(const std::string& data_dir, const std::string& action,
                   const std::string& detail) {
  const std::string path = data_dir + "/control.sqlite";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return;
  auto journal = Journal::Open(path, SystemClock());
  const Status noted =
      journal ? (*journal)->Audit(LocalUser(), action, detail) : Status(Fail(journal.error()));
  if (!noted) std::cerr << "switchback: not in the history: " << noted.error().message << "\n";
}

}  // namespace switchback
