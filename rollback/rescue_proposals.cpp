#include "rollback/rescue_proposals.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "migration/journal.hpp"

namespace switchback {
namespace {

// Legacy was let go, or unified is not filled, not whole: no damage, and no source either.
bool IsApart(const RescueExamination& found, Role role) {
  const RescueStore& store = found.store(role);
  if (role == Role::kLegacy)
    return found.paths.is_legacy_retired && (!store.is_there || !store.is_attached());
  const StoreState& state = store.report.state;
  return store.is_intact() && (!store.is_attached() || state.is_filling || state.is_partial());
}

// Makes the proposals of one examination.
class Proposer {
 public:
  explicit Proposer(const RescueExamination& found) : found_(found) {
    FindLogId();
    FindEnd();
  }

  std::vector<RescueProposal> All() {
    if (found_.generation.empty() || !MayStart()) {
      AddStores();
      AddBackups();
      AddReconstruction();
      if (!found_.is_generation_certain) LeaveToAPerson();
    } else if (!found_.current_problem.empty()) {
      AddGenerations();
    } else if (AreDifferent()) {
      AddDifferent();
    } else {
      AddStart();
    }
    return std::move(proposals_);
  }

  [[nodiscard]] std::string WhyBroken(Role role) const {
    const RescueStore& store = found_.store(role);
    const StoreState& state = store.report.state;
    if (IsApart(found_, role)) return "";
    if (!store.is_intact()) return store.problem;
    if (!store.is_attached())
      return end_ == 0 ? "" : "it was never attached: it is not the store of this directory";
    if (state.is_filling || state.is_partial()) return "it is not filled completely";
    if (IsForeign(role) && IsSource(Other(role)))
      return "another process has written to it, so it does not serve";
    const RescueLog& log = found_.log;
    if (!log.log_id.empty() && state.log_id != log.log_id) return "it follows another commit log";
    if (!log.is_intact()) return "";
    if (state.applied_sequence > log.last_seen)
      return fmt::format("it has applied batch {} and the log ends at {}", state.applied_sequence,
                         log.last_seen);
    if (log.EndFrom(state.applied_sequence) < log.last_seen)
      return fmt::format("it needs batch {} of the log, which does not reach back so far",
                         state.applied_sequence + 1);
    return "";
  }

 private:
  // Its records are those of its position.
  [[nodiscard]] bool IsSource(Role role) const {
    const RescueStore& store = found_.store(role);
    const StoreState& state = store.report.state;
    return store.is_intact() && store.is_attached() && !state.is_filling && !state.is_partial() &&
           (found_.log.log_id.empty() || state.log_id == found_.log.log_id);
  }
  // Another process has written to it since Switchback did.
  [[nodiscard]] bool IsForeign(Role role) const { return found_.store(role).report.is_foreign; }
  [[nodiscard]] std::uint64_t Applied(Role role) const {
    return found_.store(role).report.state.applied_sequence;
  }
  [[nodiscard]] std::uint64_t EndFrom(Role role) const { return found_.log.EndFrom(Applied(role)); }

  void FindLogId() {
    log_id_ = found_.log.log_id;
    epoch_ = found_.log.epoch;
    for (const Role role : kRoles) {
      const StoreState& state = found_.store(role).report.state;
      if (log_id_.empty()) log_id_ = state.log_id;
      if (state.log_id == log_id_) epoch_ = std::max(epoch_, state.epoch);
    }
    for (const RescueBackup& backup : found_.backups) {
      if (log_id_.empty() && IsWhole(backup)) log_id_ = backup.log_id;
      if (backup.log_id == log_id_) epoch_ = std::max(epoch_, backup.epoch);
    }
  }
  // The newest batch that left a trace, and whether there can have been a newer one.
  void FindEnd() {
    end_ = found_.log.last_seen;
    is_end_known_ = found_.log.is_there && found_.log.is_end_known;
    for (const Role role : kRoles) {
      const StoreState& state = found_.store(role).report.state;
      if (state.log_id != log_id_) continue;
      if (state.applied_sequence > found_.log.last_seen) is_end_known_ = false;
      end_ = std::max(end_, state.applied_sequence);
    }
    for (const RescueBackup& backup : found_.backups) {
      if (backup.log_id == log_id_) end_ = std::max(end_, backup.sequence);
    }
    for (const RescueGeneration& generation : found_.generations) {
      end_ = std::max(end_, generation.last_sequence);
      epoch_ = std::max(epoch_, generation.epoch);
    }
  }
  [[nodiscard]] static bool IsWhole(const RescueBackup& backup) {
    return backup.is_checked && backup.problem.empty();
  }

  [[nodiscard]] bool IsUnused(Role role) const {
    const RescueStore& store = found_.store(role);
    return !store.is_there || (store.is_intact() && !store.is_attached());
  }
  [[nodiscard]] bool IsNew() const {
    return !found_.log.is_there && end_ == 0 && IsUnused(Role::kLegacy) && IsUnused(Role::kUnified);
  }
  [[nodiscard]] bool MayStart() const {
    if (!found_.stores_problem.empty()) return false;
    if (IsNew()) return found_.log.problem.empty();
    return found_.log.is_intact() && WhyBroken(Role::kLegacy).empty() &&
           WhyBroken(Role::kUnified).empty();
  }
  // Two stores at one position with different records.
  [[nodiscard]] bool AreDifferent() const {
    return IsSource(Role::kLegacy) && IsSource(Role::kUnified) &&
           Applied(Role::kLegacy) == Applied(Role::kUnified) &&
           found_.store(Role::kLegacy).report.collections !=
               found_.store(Role::kUnified).report.collections;
  }
  // Without a log nothing says which of two histories is this directory's.
  [[nodiscard]] bool AreOfTwoLogs() const {
    return IsSource(Role::kLegacy) && IsSource(Role::kUnified) &&
           found_.store(Role::kLegacy).report.state.log_id !=
               found_.store(Role::kUnified).report.state.log_id;
  }

  RescueProposal& Add(RescueKind kind, std::string name, std::string what) {
    RescueProposal& proposal = proposals_.emplace_back();
    proposal.kind = kind;
    proposal.name = std::move(name);
    proposal.what = std::move(what);
    proposal.epoch = epoch_ + 1;
    proposal.last_sequence = end_;
    proposal.log_id = log_id_;
    return proposal;
  }
  void SetCost(RescueProposal& proposal, std::uint64_t reached) const {
    proposal.replay_to = reached;
    if (is_end_known_) proposal.lost_batches = end_ - std::min(end_, reached);
    proposal.consent = proposal.lost_batches == 0u ? RescueConsent::kNone : RescueConsent::kConfirm;
  }

  void AddStart() {
    std::uint64_t behind = 0;
    for (const Role role : kRoles) {
      if (IsSource(role)) behind = std::max(behind, EndFrom(role) - Applied(role));
    }
    Add(RescueKind::kStart, behind == 0 ? "start" : "replay",
        behind == 0 ? "start the server: nothing is to be repaired"
                    : fmt::format("start the server: it applies {} batches of the log to its "
                                  "stores; then compare them with `switchback verify`",
                                  behind))
        .lost_batches = 0;
  }

  // Which generation was in use is a guess, and everything above builds on it.
  void LeaveToAPerson() {
    for (RescueProposal& proposal : proposals_) {
      proposal.consent = RescueConsent::kPerson;
      proposal.lost_batches.reset();
      proposal.reason += "; it is not certain that " + found_.generation + " was in use";
    }
  }

  void AddGenerations() {
    AddGeneration(found_.generation);
    if (found_.is_generation_certain) return;
    for (const RescueGeneration& other : found_.generations) {
      if (other.name != found_.generation && other.epoch > 0) AddGeneration(other.name);
    }
    LeaveToAPerson();
  }
  void AddGeneration(const std::string& name) {
    RescueProposal& proposal = Add(RescueKind::kUseGeneration, "use-" + name,
                                   "write into CURRENT that " + name + " is in use");
    proposal.generation = name;
    proposal.lost_batches = 0;
    for (const RescueGeneration& generation : found_.generations) {
      if (generation.name == name)
        proposal.reason = fmt::format("its log is of epoch {} and ends at batch {}",
                                      generation.epoch, generation.last_sequence);
    }
  }

  void AddDifferent() {
    for (const Role role : kRoles) {
      RescueProposal& proposal = AddStore(role);
      proposal.consent = RescueConsent::kPerson;
      proposal.lost_batches.reset();
      proposal.reason = fmt::format(
          "both stores are readable, stand at batch {} and hold different records; {} has {}",
          Applied(role), RoleName(role), found_.store(role).record_count());
    }
  }

  void AddStores() {
    std::vector<Role> sources;
    for (const Role role : kRoles) {
      if (IsSource(role) && !(IsForeign(role) && IsSource(Other(role)))) sources.push_back(role);
    }
    if (sources.empty() && IsSource(Role::kLegacy)) sources.push_back(Role::kLegacy);
    if (AreOfTwoLogs()) {
      for (const Role role : kRoles) AddOfAnotherLog(role);
    } else if (AreDifferent()) {
      AddDifferent();
    } else if (!sources.empty()) {
      const Role best = *std::max_element(sources.begin(), sources.end(),
                                          [&](Role a, Role b) { return EndFrom(a) < EndFrom(b); });
      AddStore(best);
      if (IsForeign(Other(best)) && IsSource(Other(best))) NoteForeign(best);
    }
  }
  // What the other process wrote is not in it; at one position the two were compared, and are
  // equal.
  void NoteForeign(Role from) {
    const Role other = Other(from);
    if (Applied(from) == Applied(other)) return;
    RescueProposal& proposal = proposals_.back();
    proposal.consent = other == Role::kLegacy ? RescueConsent::kPerson : RescueConsent::kConfirm;
    proposal.reason +=
        fmt::format("; what another process wrote to {} is not in it", RoleName(other));
  }
  void AddOfAnotherLog(Role role) {
    RescueProposal& proposal = AddStore(role);
    proposal.consent = RescueConsent::kPerson;
    proposal.lost_batches.reset();
    proposal.log_id = found_.store(role).report.state.log_id;
    proposal.replay_to = Applied(role);
    proposal.reason = fmt::format(
        "the stores belong to two directories; {} stands at batch {} of log {} and has {} records",
        RoleName(role), Applied(role), proposal.log_id.substr(0, 8),
        found_.store(role).record_count());
  }
  RescueProposal& AddStore(Role role) {
    const Role other = Other(role);
    const std::uint64_t reached = EndFrom(role);
    const bool is_log_intact = found_.log.is_intact() && Applied(role) <= found_.log.last_seen;
    const bool makes_other = !IsApart(found_, other);
    std::string what = makes_other ? fmt::format("make {} from {}", RoleName(other), RoleName(role))
                                   : fmt::format("copy {}", RoleName(role));
    if (reached > Applied(role))
      what += fmt::format(", apply batches {} to {} of the log", Applied(role) + 1, reached);
    if (!is_log_intact) what += fmt::format(", begin a new log after batch {}", end_);
    RescueProposal& proposal = Add(RescueKind::kFromStore,
                                   is_log_intact ? fmt::format("rebuild-{}", RoleName(other))
                                                 : fmt::format("new-log-from-{}", RoleName(role)),
                                   std::move(what));
    proposal.from = role;
    proposal.makes_other = makes_other;
    proposal.needs =
        fmt::format("{} bytes of space", found_.store(role).bytes * (makes_other ? 2 : 1));
    proposal.reason = fmt::format("{} is whole at batch {}", RoleName(role), Applied(role));
    if (makes_other)
      proposal.needs += other == Role::kUnified
                            ? "; versions of the schema are to be applied again"
                            : "; databases that are no collections are not in it";
    SetCost(proposal, reached);
    if (!IsForeign(role)) return proposal;
    proposal.consent = RescueConsent::kPerson;
    proposal.lost_batches.reset();
    proposal.reason += "; another process has written to it since";
    return proposal;
  }

  void AddBackups() {
    for (const RescueBackup& backup : found_.backups) {
      if (IsWhole(backup)) AddBackup(backup);
    }
  }
  void AddBackup(const RescueBackup& backup) {
    const bool is_ours = backup.log_id == log_id_;
    // After a restore the numbers go on, and what they number is another history.
    const bool is_covered = is_ours && found_.log.is_there && backup.epoch == found_.log.epoch;
    const std::uint64_t reached =
        is_covered ? found_.log.EndFrom(backup.sequence) : backup.sequence;
    std::string what = fmt::format("bring back backup {} of batch {}", backup.id, backup.sequence);
    if (reached > backup.sequence)
      what += fmt::format(", apply batches {} to {} of the log", backup.sequence + 1, reached);
    RescueProposal& proposal = Add(RescueKind::kFromBackup, "backup-" + backup.id, std::move(what));
    proposal.backup_id = backup.id;
    SetCost(proposal, reached);
    proposal.reason = "made at " + FormatUtc(backup.created_at);
    if (is_ours) return;
    proposal.consent = RescueConsent::kPerson;
    proposal.lost_batches.reset();
    proposal.log_id = backup.log_id;
    proposal.reason += "; it is of another data directory";
  }

  void AddReconstruction() {
    if (IsSource(Role::kLegacy) || IsSource(Role::kUnified)) return;
    std::string parts;
    for (const Role role : kRoles) {
      if (!found_.store(role).is_there) continue;
      parts += (parts.empty() ? "" : ", ") + std::string(RoleName(role));
    }
    if (!found_.log.ranges.empty()) parts += parts.empty() ? "the log" : ", the log";
    if (parts.empty()) return;
    RescueProposal& proposal =
        Add(RescueKind::kReconstruct, "reconstruct",
            "put together what can still be read of " + parts + ", and report what cannot");
    proposal.consent = RescueConsent::kConfirm;
    proposal.reason = "records may be missing, and deleted ones may be back";
    proposal.replay_to = found_.log.last_seen;
  }

  const RescueExamination& found_;
  std::vector<RescueProposal> proposals_;
  std::string log_id_;
  std::uint64_t epoch_ = 0;
  std::uint64_t end_ = 0;  // the newest batch that left a trace
  bool is_end_known_ = false;
};

}  // namespace

const char* RescueConsentName(RescueConsent consent) {
  switch (consent) {
    case RescueConsent::kNone: return "automatic";
    case RescueConsent::kConfirm: return "confirm";
    case RescueConsent::kPerson: return "person";
  }
  return "person";
}

std::vector<RescueProposal> ProposeRescue(const RescueExamination& found) {
  return Proposer(found).All();
}

std::string WhyBroken(const RescueExamination& found, Role role) {
  return Proposer(found).WhyBroken(role);
}

}  // namespace switchback
