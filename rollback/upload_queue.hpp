// Backups that still have to go to the target by themselves. Durable, so that neither a stop nor a
// target that is away for a while makes one be forgotten.
#pragma once

#include <string>
#include <vector>

#include "migration/journal.hpp"

namespace switchback {

// Past it the oldest are given up, with a line in the log.
inline constexpr std::size_t kUploadsPendingMax = 1000;

// Belongs to one thread. Errors: those of the journal.
class UploadQueue {
 public:
  explicit UploadQueue(Journal& journal) : journal_(journal) {}  // outlives it

  // What was left when the process ended. A document that cannot be read counts as empty.
  Status Load();
  Status Add(const std::string& id);
  Status Remove(const std::string& id);
  // The oldest first.
  [[nodiscard]] const std::vector<std::string>& ids() const { return ids_; }

 private:
  Status Store();

  Journal& journal_;
  std::vector<std::string> ids_;
};

}  // namespace switchback
