#include "server/cli/doctor.hpp"

#include "server/cli/flags_watch.hpp"

namespace switchback {

const char* SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kOk: return "ok";
    case Severity::kNote: return "note";
    case Severity::kWarning: return "warning";
    case Severity::kProblem: return "problem";
  }
  return "problem";
}

std::vector<Finding> Examine(const std::string& data_dir, std::string flags_path, bool is_deep) {
  std::vector<Finding> findings;
  DoctorFacts facts;
  facts.data_dir = data_dir;
  if (!ExamineDirectory(facts, findings)) return findings;
  ExamineLog(facts, findings);
  ExamineStores(facts, is_deep, findings);
  if (flags_path.empty()) flags_path = FlagsPathOf(data_dir);
  ExamineSurroundings(flags_path, facts, findings);
  return findings;
}

}  // namespace switchback
