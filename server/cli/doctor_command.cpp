#include <CLI/App.hpp>
#include <algorithm>
#include <charconv>
#include <iostream>
#include <memory>

#include "common/failpoint.hpp"
#include "common/log.hpp"
#include "rollback/rescue.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/doctor.hpp"
#include "server/cli/doctor_report.hpp"
#include "server/cli/offline_history.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/errors.hpp"
#include "server/process.hpp"

namespace switchback {
namespace {

struct DoctorOptions {
  DoctorRequest request;
  std::string choice;  // "" = the first proposal
  bool is_repair = false;
  bool is_yes = false;
  bool is_json = false;
};

// A number as the list shows it, or a name.
const RescueProposal* FindProposal(const std::vector<RescueProposal>& proposals,
                                   const std::string& choice) {
  std::size_t number = choice.empty() ? 1 : 0;
  const char* end = choice.data() + choice.size();
  const bool is_number = std::from_chars(choice.data(), end, number).ptr == end;
  if (is_number)
    return number >= 1 && number <= proposals.size() ? &proposals[number - 1] : nullptr;
  const auto found = std::find_if(proposals.begin(), proposals.end(),
                                  [&](const auto& proposal) { return proposal.name == choice; });
  return found == proposals.end() ? nullptr : &*found;
}

// The list is part of a refusal.
int Refuse(const Diagnosis& diagnosis, const DoctorOptions& options, ErrorCode code,
           const std::string& message) {
  if (!options.is_json) {
    PrintDiagnosis(diagnosis);
    return ReportError({code, message}, false);
  }
  std::cerr << "switchback: " << message << "\n";
  auto document = DiagnosisJson(diagnosis);
  document["error"] = {{"code", ErrorCodeName(code)}, {"message", message}};
  PrintJson(document);
  return ExitCode(code);
}

int DoRepair(const Diagnosis& diagnosis, const RescueProposal& proposal,
             const DoctorOptions& options, DataDirectory& directory) {
  const std::string& backup_dir = options.request.backup_dir;
  BackupProgress progress(SystemClock(), 0);
  Rescue rescue(*diagnosis.examination, directory,
                backup_dir.empty() ? options.request.data_dir + "/backups" : backup_dir, progress);
  const auto outcome = rescue.Run(proposal);
  if (!outcome) {
    ReportError(WithContext(outcome.error(), proposal.name + " failed, and what was there is "
                                                             "unchanged"),
                options.is_json);
    return kExitFailed;
  }
  NoteInHistory(
      options.request.data_dir, "doctor-repair",
      proposal.name + ": generation " + outcome->generation + " is in use" +
          (outcome->kept_path.empty() ? "" : "; the one of before: " + outcome->kept_path));
  if (options.is_json) {
    PrintJson(OutcomeJson(proposal, *outcome));
  } else {
    PrintOutcome(proposal, *outcome);
  }
  return kExitDone;
}

int Repair(const DoctorOptions& options) {
  if (auto set = SetFailpointsFromEnvironment(); !set)
    return ReportError(set.error(), options.is_json);
  if (auto acting = ActAsOwner(options.request.data_dir); !acting)
    return ReportError(acting.error(), options.is_json);
  Diagnosis diagnosis = BeginDiagnosis(options.request);
  if (!diagnosis.facts.is_usable)
    return Refuse(diagnosis, options, ErrorCode::kRefused, "this is no directory to repair");
  SetLogLevel(LogLevel::kWarning);
  // What is found stays true until the repair is done.
  auto directory = DataDirectory::OpenForRepair(options.request.data_dir, "");
  if (!directory)
    return Refuse(diagnosis, options, ErrorCode::kRefused,
                  directory.error().message + ": stop it first");
  diagnosis.facts.is_owned = false;
  Diagnose(options.request, diagnosis);
  const RescueProposal* proposal = FindProposal(diagnosis.proposals, options.choice);
  if (proposal == nullptr)
    return Refuse(diagnosis, options,
                  options.choice.empty() ? ErrorCode::kRefused : ErrorCode::kInvalidArgument,
                  options.choice.empty() ? "nothing here can be repaired"
                                         : "no proposal is called " + options.choice);
  if (proposal->consent != RescueConsent::kNone && (options.choice.empty() || !options.is_yes))
    return Refuse(diagnosis, options, ErrorCode::kRefused,
                  "nothing was done: choose one by its name, with --yes: --repair " +
                      proposal->name + " --yes");
  return DoRepair(diagnosis, *proposal, options, *directory);
}

int RunDoctor(const DoctorOptions& options) {
  if (options.is_repair) return Repair(options);
  Diagnosis diagnosis = BeginDiagnosis(options.request);
  Diagnose(options.request, diagnosis);
  if (options.is_json) {
    PrintJson(DiagnosisJson(diagnosis));
  } else {
    PrintDiagnosis(diagnosis);
  }
  return diagnosis.is_healthy() ? kExitDone : kExitFailed;
}

constexpr const char* kFooter =
    "Without --repair it reads only. Beside a running server it takes a quick look; without one "
    "it\n"
    "reads every record of both stores, the log and the newest backups, and says what can be "
    "done,\n"
    "best first, each with the acknowledged writes that it loses.\n"
    "\n"
    "--repair does the first proposal if that loses nothing, else it refuses and shows the list:\n"
    "choose one by number or name, with --yes. Nothing that is there is changed. The stores are\n"
    "made anew in a generation beside the old one, checked, and CURRENT is renamed; the old\n"
    "generation stays as the copy of before. A repair that is interrupted can simply be repeated.\n"
    "\n"
    "Exit codes: 0 healthy or repaired, 1 something is wrong or the repair failed, 2 usage,\n"
    "3 refused: a server has the directory, or a person must decide.\n"
    "\n"
    "Examples:\n"
    "  switchback doctor --data-dir /var/lib/app\n"
    "  switchback doctor --data-dir /var/lib/app --repair\n"
    "  switchback doctor --data-dir /var/lib/app --repair reconstruct --yes";

}  // namespace

void AddDoctorCommand(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("doctor", "Look for problems in a data directory, and repair it");
  auto options = std::make_shared<DoctorOptions>();
  DoctorRequest& request = options->request;
  command->add_option("--data-dir", request.data_dir, "The data directory")->required();
  command->add_option("--flags", request.flags_path, "The flags file, if serve is given one");
  command->add_option("--backups", request.backup_dir,
                      "The backups, when they are not inside the data directory");
  command->add_flag("--deep", request.is_deep,
                    "Beside a running server: check every page of the SQLite file as well");
  command->add_flag("--full", request.is_full, "Unpack backups and count their records as well");
  CLI::Option* repair =
      command->add_option("--repair", options->choice, "Do a proposal: its number or name")
          ->expected(0, 1)
          ->type_name("[N|NAME]");
  command->add_flag("--yes", options->is_yes, "Although writes may be lost")->needs(repair);
  AddJsonOption(*command, options->is_json);
  command->footer(kFooter);
  command->callback([options, repair, &exit_code] {
    options->is_repair = repair->count() > 0;
    exit_code = RunDoctor(*options);
  });
}

}  // namespace switchback
