// What can be done about a data directory that does not start, best first, each with what it costs.
// A pure function: it looks at the examination and at nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rollback/rescue_examination.hpp"

namespace switchback {

enum class RescueKind : std::uint8_t {
  kStart,          // nothing is to be repaired
  kUseGeneration,  // CURRENT alone is wrong
  kFromStore,      // both stores from one of them, a new log behind it
  kFromBackup,     // the stores of a backup, and the log as far as it reaches
  kReconstruct,    // whatever can still be read of stores and log
};

// Who may say yes.
enum class RescueConsent : std::uint8_t {
  kNone,     // loses nothing
  kConfirm,  // loses something, or may
  kPerson,   // two answers contradict each other, and nothing here says which is right
};
const char* RescueConsentName(RescueConsent consent);  // "automatic" "confirm" "person"

struct RescueProposal {
  RescueKind kind = RescueKind::kStart;
  std::string name;                           // "start" "rebuild-unified" "backup-ID" ...
  std::string what;                           // what it does
  std::string needs;                          // "" = nothing
  std::optional<std::uint64_t> lost_batches;  // acknowledged ones; nullopt: not known
  RescueConsent consent = RescueConsent::kNone;
  std::string reason;  // what speaks for it, or why a person must decide

  std::string generation;           // kUseGeneration
  std::string backup_id;            // kFromBackup
  std::optional<Role> from;         // kFromStore
  bool makes_other = false;         // kFromStore: the other store is made from this one
  std::uint64_t epoch = 0;          // of what is made
  std::uint64_t replay_to = 0;      // the log is applied up to there
  std::uint64_t last_sequence = 0;  // the newest batch that was ever seen: numbers go on after it
  std::string log_id;               // "" = a new one

  [[nodiscard]] bool is_repair() const { return kind != RescueKind::kStart; }
};

// In the order in which they should be tried; the first is the best one. Empty: there is nothing
// here that could be served.
std::vector<RescueProposal> ProposeRescue(const RescueExamination& found);

// Why a store cannot be served as it is, for people; "" when it can, or when it is as it should be
// although it does not serve (not filled yet, let go).
std::string WhyBroken(const RescueExamination& found, Role role);

}  // namespace switchback
