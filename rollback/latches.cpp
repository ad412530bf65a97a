#include "rollback/latches.hpp"

#include <array>
#include <utility>

namespace switchback {

std::unique_ptr<Latch> OpenRoutingLatch(const std::string& data_dir, DbService& service,
                                        const Clock& clock) {
  return Latch::Open({data_dir + "/guard.json",
                      [&service](const std::string& reason) { service.HoldRouting(reason); },
                      "every key goes to legacy whatever the flags say"},
                     clock);
}

std::unique_ptr<Latch> OpenSafeMode(const std::string& data_dir, DbService& service,
                                    const Clock& clock) {
  return Latch::Open({data_dir + "/safe-mode.json",
                      [&service](const std::string& reason) {
                        service.HoldWrites(WriteHold::kSafeMode,
                                           reason.empty() ? "" : "safe mode, " + reason);
                      },
                      "writes are refused, reads go on (safe mode)"},
                     clock);
}

std::string SafeModeChoices(const std::string& operation_kind) {
  constexpr std::array<std::pair<const char*, const char*>, 3> kFirst{{
      {"rollback-flag", "`switchback rollback validate` checks the service once more."},
      {"backup", "`switchback restore --undo` goes back to the generation before."},
      {"schema",
       "`switchback rollback now` leaves the unified store for legacy, then "
       "`switchback migrate start` fills it anew."},
  }};
  std::string choices;
  for (const auto& [kind, choice] : kFirst) {
    if (operation_kind == kind) choices = std::string(choice) + " ";
  }
  return choices +
         "`switchback backup restore ID` goes back to a backup. `switchback rollback "
         "leave-safe-mode` takes writes again, once somebody has seen that the data is right.";
}

}  // namespace switchback
