// What `switchback doctor` prints.
#pragma once

#include <nlohmann/json.hpp>

#include "rollback/rescue.hpp"
#include "server/cli/doctor.hpp"

namespace switchback {

// To std::cout, for people.
void PrintDiagnosis(const Diagnosis& diagnosis);
void PrintOutcome(const RescueProposal& proposal, const RescueOutcome& outcome);

// For programs.
nlohmann::ordered_json DiagnosisJson(const Diagnosis& diagnosis);
nlohmann::ordered_json OutcomeJson(const RescueProposal& proposal, const RescueOutcome& outcome);

}  // namespace switchback
