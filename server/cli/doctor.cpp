#include "server/cli/doctor.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "server/cli/flags_watch.hpp"

namespace switchback {
namespace {

bool IsProblem(const DoctorFinding& finding) {
  return finding.severity == Severity::kProblem;
}

// What the first checks could not find out, from the examination.
void TakeFacts(const RescueExamination& found, DoctorFacts& facts) {
  facts.generation_path = found.data_dir + "/" + found.generation;
  facts.legacy_path = found.paths.legacy;
  facts.unified_path = found.paths.unified;
}

void DiagnoseIdle(const DoctorRequest& request, Diagnosis& diagnosis) {
  diagnosis.examination = ExamineForRescue(
      {.data_dir = request.data_dir, .backup_dir = request.backup_dir, .is_full = request.is_full});
  const RescueExamination& found = *diagnosis.examination;
  if (!found.generation.empty()) {
    TakeFacts(found, diagnosis.facts);
    ExamineLog(diagnosis.facts, diagnosis.findings);
    // What a damaged log says of its end is nothing to compare stores with.
    if (!found.log.is_intact()) diagnosis.facts.log_id.clear();
    ExamineIdleStores(diagnosis.facts, found, diagnosis.findings);
  }
  ExamineBackups(found, diagnosis.findings);
  diagnosis.proposals = ProposeRescue(found);
}

}  // namespace

const char* SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kOk: return "ok";
    case Severity::kNote: return "note";
    case Severity::kWarning: return "warning";
    case Severity::kProblem: return "problem";
  }
  return "problem";
}

bool Diagnosis::is_healthy() const {
  const bool has_repair = std::any_of(proposals.begin(), proposals.end(),
                                      [](const auto& proposal) { return proposal.is_repair(); });
  return !has_repair && std::none_of(findings.begin(), findings.end(), IsProblem);
}

void ExamineBackups(const RescueExamination& found, std::vector<DoctorFinding>& findings) {
  if (!found.backups_problem.empty())
    findings.push_back({Severity::kWarning, "backups", found.backups_problem, ""});
  for (const RescueBackup& backup : found.backups) {
    if (!backup.problem.empty()) {
      findings.push_back({Severity::kWarning, "backups", backup.id + ": " + backup.problem,
                          "do not count on it; make a new one once the server runs"});
    } else if (backup.is_checked) {
      findings.push_back({Severity::kOk, "backups",
                          fmt::format("{} of batch {} is whole", backup.id, backup.sequence), ""});
    }
  }
}

Diagnosis BeginDiagnosis(const DoctorRequest& request) {
  Diagnosis diagnosis;
  diagnosis.facts.data_dir = request.data_dir;
  ExamineDirectory(diagnosis.facts, diagnosis.findings);
  return diagnosis;
}

void Diagnose(const DoctorRequest& request, Diagnosis& diagnosis) {
  if (!diagnosis.facts.is_usable) return;
  if (diagnosis.facts.is_owned) {
    if (diagnosis.facts.legacy_path.empty()) return;
    ExamineLog(diagnosis.facts, diagnosis.findings);
    ExamineStores(diagnosis.facts, request.is_deep, diagnosis.findings);
  } else {
    DiagnoseIdle(request, diagnosis);
  }
  if (diagnosis.facts.legacy_path.empty()) return;
  ExamineSurroundings(
      request.flags_path.empty() ? FlagsPathOf(request.data_dir) : request.flags_path,
      diagnosis.facts, diagnosis.findings);
}

}  // namespace switchback
