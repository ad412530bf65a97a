#include "server/cli/doctor_report.hpp"

#include <fmt/format.h>

#include <iostream>

#include "flags/strict_json.hpp"
#include "server/cli/output.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

std::string CostOf(const RescueProposal& proposal) {
  if (!proposal.lost_batches) return "lost writes: unknown";
  if (*proposal.lost_batches == 0) return "lost writes: none";
  return fmt::format("lost writes: {} batches", FormatCount(*proposal.lost_batches));
}

std::string ConsentText(const RescueProposal& proposal, int number) {
  if (!proposal.is_repair()) return "switchback serve does it";
  switch (proposal.consent) {
    case RescueConsent::kNone: return fmt::format("--repair {} does it", number);
    case RescueConsent::kConfirm: return fmt::format("--repair {} --yes does it", number);
    case RescueConsent::kPerson:
      return fmt::format("A PERSON MUST DECIDE: --repair {} --yes does it", number);
  }
  return "";
}

void PrintProposals(const std::vector<RescueProposal>& proposals) {
  if (proposals.empty()) {
    std::cout << "nothing here can be repaired: bring a backup from elsewhere, --backups DIR\n";
    return;
  }
  std::cout << "what can be done, best first:\n";
  int number = 0;
  for (const RescueProposal& proposal : proposals) {
    ++number;
    std::cout << fmt::format("  {}. {}: {}\n     {}; {}\n", number, proposal.name, proposal.what,
                             CostOf(proposal), ConsentText(proposal, number));
    if (!proposal.reason.empty()) std::cout << "     " << proposal.reason << "\n";
    if (!proposal.needs.empty()) std::cout << "     needs " << proposal.needs << "\n";
  }
}

std::string KeyText(const std::string& key, const char* otherwise) {
  return key.empty() ? otherwise : Printable(key);
}

std::string GapsText(const SalvagedCollection& collection) {
  std::string text = "; " + collection.problem;
  for (const SalvageGap& gap : collection.gaps)
    text +=
        fmt::format("\n    nothing was readable after {} and before {}",
                    KeyText(gap.after_key, "the beginning"), KeyText(gap.before_key, "the end"));
  return text;
}

void PrintSalvage(const SalvageReport& salvage) {
  for (const SalvagedCollection& collection : salvage.collections)
    std::cout << fmt::format("  {}/{}: {} records read{}\n", collection.store, collection.name,
                             FormatCount(collection.record_count),
                             collection.problem.empty() ? ", all" : GapsText(collection));
  for (const std::string& problem : salvage.problems) std::cout << "  " << problem << "\n";
}

Json ProposalJson(const RescueProposal& proposal) {
  return {{"name", proposal.name},
          {"what", proposal.what},
          {"needs", proposal.needs},
          {"lost_batches", proposal.lost_batches ? Json(*proposal.lost_batches) : Json()},
          {"consent", RescueConsentName(proposal.consent)},
          {"reason", proposal.reason}};
}

Json StoreJson(const RescueStore& store) {
  return {{"path", store.path},
          {"is_intact", store.is_intact()},
          {"problem", store.problem},
          {"log_id", store.report.state.log_id},
          {"epoch", store.report.state.epoch},
          {"applied_sequence", store.report.state.applied_sequence},
          {"is_filling", store.report.state.is_filling},
          {"collections", store.report.state.collections},
          {"records", store.record_count()}};
}

Json LogJson(const RescueLog& log) {
  Json ranges = Json::array();
  for (const LogRange& range : log.ranges) ranges.push_back({range.first, range.last});
  return {{"log_id", log.log_id},
          {"epoch", log.epoch},
          {"last_sequence", log.last_seen},
          {"readable", std::move(ranges)},
          {"problem", log.problem}};
}

Json ExaminationJson(const RescueExamination& found) {
  Json backups = Json::array();
  for (const RescueBackup& backup : found.backups)
    backups.push_back({{"id", backup.id},
                       {"is_checked", backup.is_checked},
                       {"problem", backup.problem},
                       {"epoch", backup.epoch},
                       {"sequence", backup.sequence}});
  Json generations = Json::array();
  for (const RescueGeneration& generation : found.generations)
    generations.push_back({{"name", generation.name},
                           {"epoch", generation.epoch},
                           {"last_sequence", generation.last_sequence}});
  return {{"generation", found.generation},
          {"previous", found.paths.previous},
          {"generations", std::move(generations)},
          {"log", LogJson(found.log)},
          {"legacy", StoreJson(found.store(Role::kLegacy))},
          {"unified", StoreJson(found.store(Role::kUnified))},
          {"backups", std::move(backups)}};
}

Json SalvageJson(const SalvageReport& salvage) {
  Json collections = Json::array();
  for (const SalvagedCollection& collection : salvage.collections) {
    Json gaps = Json::array();
    for (const SalvageGap& gap : collection.gaps)
      gaps.push_back(
          {{"after_key", Printable(gap.after_key)}, {"before_key", Printable(gap.before_key)}});
    collections.push_back({{"store", collection.store},
                           {"name", collection.name},
                           {"records", collection.record_count},
                           {"problem", collection.problem},
                           {"gaps", std::move(gaps)}});
  }
  return {{"collections", std::move(collections)}, {"problems", salvage.problems}};
}

}  // namespace

void PrintDiagnosis(const Diagnosis& diagnosis) {
  for (const DoctorFinding& finding : diagnosis.findings) {
    std::string name = SeverityName(finding.severity);
    name.resize(8, ' ');
    std::cout << name << finding.check << ": " << finding.text << "\n";
    if (!finding.advice.empty()) std::cout << "        -> " << finding.advice << "\n";
  }
  if (diagnosis.is_healthy()) {
    std::cout << "healthy\n";
    return;
  }
  std::cout << "there are problems\n";
  if (diagnosis.examination) PrintProposals(diagnosis.proposals);
  if (diagnosis.facts.is_owned)
    std::cout << "a server has the directory: stop it, and ask again for what can be done\n";
}

void PrintOutcome(const RescueProposal& proposal, const RescueOutcome& outcome) {
  if (!proposal.is_repair()) {
    std::cout << proposal.what << "\n";
    return;
  }
  std::cout << "done: " << proposal.what << "\n";
  PrintSalvage(outcome.salvage);
  std::cout << outcome.generation << " is in use";
  if (outcome.first_sequence > 0)
    std::cout << fmt::format(
        ": {} records, {} batches of the log applied; epoch {} begins with "
        "batch {}",
        FormatCount(outcome.record_count), FormatCount(outcome.replayed_batch_count), outcome.epoch,
        outcome.first_sequence);
  std::cout << "\n";
  if (!outcome.kept_path.empty())
    std::cout << "what was there is kept as it was at " << outcome.kept_path << "\n";
  std::cout << "start the server, then run `switchback verify` and `switchback backup create`\n";
}

Json DiagnosisJson(const Diagnosis& diagnosis) {
  Json list = Json::array();
  for (const DoctorFinding& finding : diagnosis.findings)
    list.push_back({{"severity", SeverityName(finding.severity)},
                    {"check", finding.check},
                    {"text", finding.text},
                    {"advice", finding.advice}});
  Json document{{"healthy", diagnosis.is_healthy()}, {"findings", std::move(list)}};
  if (!diagnosis.examination) return document;
  document["examination"] = ExaminationJson(*diagnosis.examination);
  Json proposals = Json::array();
  for (const RescueProposal& proposal : diagnosis.proposals)
    proposals.push_back(ProposalJson(proposal));
  document["proposals"] = std::move(proposals);
  return document;
}

Json OutcomeJson(const RescueProposal& proposal, const RescueOutcome& outcome) {
  return {{"proposal", ProposalJson(proposal)},
          {"generation", outcome.generation},
          {"kept_path", outcome.kept_path},
          {"epoch", outcome.epoch},
          {"first_sequence", outcome.first_sequence},
          {"replayed_batches", outcome.replayed_batch_count},
          {"records", outcome.record_count},
          {"salvage", SalvageJson(outcome.salvage)}};
}

}  // namespace switchback
