// Puts each load of the flags file before the service, and tells the log when it is refused. (What
// else becomes of a load, the flags' loader and the service's routing log themselves.)
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "flags/flag_snapshot.hpp"
#include "service/db_service.hpp"

namespace switchback {

// Used from the watcher's thread only. `service` outlives it.
class FlagJudge {
 public:
  explicit FlagJudge(DbService& service) : service_(service) {}

  // Asks the service to judge the flags just published. Logs a refusal once: the watcher loads also
  // when nothing has changed.
  void OnLoad(const FlagSnapshot& snapshot);

 private:
  DbService& service_;
  std::uint64_t revision_ = 0;
  std::string refusal_;
};

}  // namespace switchback
