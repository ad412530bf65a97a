// What `switchback doctor` looks at. Reads only: a server may be running on the directory, or
// anything may be broken. What can be done about it comes from rollback/rescue_proposals.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rollback/rescue_examination.hpp"
#include "rollback/rescue_proposals.hpp"

namespace switchback {

enum class Severity : std::uint8_t {
  kOk,       // as it should be
  kNote,     // worth knowing
  kWarning,  // works, and may not for long
  kProblem,  // does not work, or data is at risk
};
const char* SeverityName(Severity severity);  // "ok" "note" "warning" "problem"

struct DoctorFinding {
  Severity severity = Severity::kOk;
  std::string check;   // what was looked at: "lock", "log", "legacy"
  std::string text;    // what was found
  std::string advice;  // what to do; "" when nothing is to be done
};

// Facts that later checks compare with; 0 and "" when they could not be found out.
struct DoctorFacts {
  std::string data_dir;
  std::string generation_path;
  std::string legacy_path, unified_path;
  std::int64_t owner_pid = 0;  // of the process that holds the lock
  bool is_owned = false;
  bool is_usable = false;  // there is a directory, and it was not detached
  std::string log_id;
  std::uint64_t log_first = 0, log_last = 0;  // sequences; last < first: the log is empty
};

// Each appends to `findings` and fills in `facts`. Any thread; they block for the disk.

// Directory, modes, lock, generation, where the stores are. False when there is nothing to look at
// further.
bool ExamineDirectory(DoctorFacts& facts, std::vector<DoctorFinding>& findings);
// Flags file, endpoints file, free space.
void ExamineSurroundings(const std::string& flags_path, const DoctorFacts& facts,
                         std::vector<DoctorFinding>& findings);
// Reads every batch of the log.
void ExamineLog(DoctorFacts& facts, std::vector<DoctorFinding>& findings);
// Opens both stores for reading: their state, their versions' known faults. With `is_deep` every
// page of the SQLite file is checked as well.
void ExamineStores(const DoctorFacts& facts, bool is_deep, std::vector<DoctorFinding>& findings);
// The same when nobody has the stores and each of their records was read.
void ExamineIdleStores(const DoctorFacts& facts, const RescueExamination& found,
                       std::vector<DoctorFinding>& findings);
void ExamineBackups(const RescueExamination& found, std::vector<DoctorFinding>& findings);

struct DoctorRequest {
  std::string data_dir;
  std::string flags_path;  // "" = the one the server names, or the usual one
  std::string backup_dir;  // "" = the one inside the data directory
  bool is_deep = false;    // beside a running server: every page of the SQLite file as well
  bool is_full = false;    // backups are unpacked and counted
};

struct Diagnosis {
  DoctorFacts facts;
  std::vector<DoctorFinding> findings;
  // Nobody has the directory: what is intact, and what can be done.
  std::optional<RescueExamination> examination;
  std::vector<RescueProposal> proposals;

  [[nodiscard]] bool is_healthy() const;
};

// Directory and lock; with `is_usable` go on to Diagnose. Whoever means to repair takes the lock in
// between.
Diagnosis BeginDiagnosis(const DoctorRequest& request);
void Diagnose(const DoctorRequest& request, Diagnosis& diagnosis);

}  // namespace switchback
