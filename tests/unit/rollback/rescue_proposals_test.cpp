#include "rollback/rescue_proposals.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>

namespace switchback {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kLast = 100;  // the newest batch of the log
const std::string kLog(32, 'a');
const std::string kOtherLog(32, 'b');

RescueStore Whole(std::uint64_t applied, const std::string& log_id = kLog) {
  RescueStore store;
  store.path = store.file = "there";
  store.is_there = true;
  store.report.state.log_id = log_id;
  store.report.state.epoch = 1;
  store.report.state.applied_sequence = applied;
  store.report.collections = {{"default", 7, "hash"}};
  return store;
}

RescueStore Damaged() {
  RescueStore store;
  store.is_there = true;
  store.problem = "a page is damaged";
  return store;
}

RescueStore Missing() {
  RescueStore store;
  store.problem = "it is not there";
  return store;
}

RescueStore Unfilled() {
  RescueStore store = Whole(0, "");
  store.report.collections.clear();
  return store;
}

RescueLog Log(std::vector<LogRange> ranges, std::string problem = "") {
  RescueLog log;
  log.is_there = true;
  log.is_end_known = true;
  log.log_id = kLog;
  log.epoch = 1;
  log.last_seen = ranges.empty() ? 0 : ranges.back().last;
  log.ranges = std::move(ranges);
  log.problem = std::move(problem);
  return log;
}

RescueBackup Backup(const std::string& id, std::uint64_t sequence, std::string problem = "") {
  RescueBackup backup;
  backup.id = id;
  backup.problem = std::move(problem);
  backup.is_checked = true;
  backup.log_id = kLog;
  backup.epoch = 1;
  backup.sequence = sequence;
  backup.has_half = {true, true};
  return backup;
}

RescueExamination Healthy() {
  RescueExamination found;
  found.data_dir = "/data";
  found.generation = "gen-1";
  found.generations = {{"gen-1", 1, kLast, true}};
  found.log = Log({{1, kLast}});
  found.stores = {Whole(kLast), Whole(kLast)};
  return found;
}

// "name lost consent", one a proposal; "?" = not known.
std::vector<std::string> Summaries(const RescueExamination& found) {
  std::vector<std::string> lines;
  for (const RescueProposal& proposal : ProposeRescue(found)) {
    const std::string lost =
        proposal.lost_batches ? std::to_string(*proposal.lost_batches) : std::string("?");
    lines.push_back(proposal.name + " " + lost + " " + RescueConsentName(proposal.consent));
  }
  return lines;
}

struct Case {
  const char* name;
  std::function<void(RescueExamination& found)> spoil;
  std::vector<std::string> expected;
};
std::ostream& operator<<(std::ostream& out, const Case& one) {
  return out << one.name;
}

class RescueProposalsTest : public ::testing::TestWithParam<Case> {};

TEST_P(RescueProposalsTest, AreTheseInThisOrder) {
  RescueExamination found = Healthy();
  GetParam().spoil(found);

  EXPECT_EQ(Summaries(found), GetParam().expected);
}

auto& Legacy(RescueExamination& found) {
  return found.stores[Index(Role::kLegacy)];
}
auto& Unified(RescueExamination& found) {
  return found.stores[Index(Role::kUnified)];
}
void LoseLog(RescueExamination& found) {
  found.log = {};
  found.generations = {{"gen-1", 0, 0, false}};
}

const std::vector<Case> kCases{
    {"NothingIsWrong", [](auto&) {}, {"start 0 automatic"}},
    {"AStoreIsBehind", [](auto& found) { Unified(found) = Whole(60); }, {"replay 0 automatic"}},
    {"UnifiedWasNeverFilled",
     [](auto& found) { Unified(found) = Unfilled(); },
     {"start 0 automatic"}},
    {"UnifiedIsBeingFilled",
     [](auto& found) { Unified(found).report.state.is_filling = true; },
     {"start 0 automatic"}},
    {"LegacyWasLetGo",
     [](auto& found) {
       Legacy(found) = Missing();
       found.paths.is_legacy_retired = true;
     },
     {"start 0 automatic"}},
    {"NothingIsThereYet",
     [](auto& found) {
       LoseLog(found);
       found.stores = {Missing(), Missing()};
     },
     {"start 0 automatic"}},
    {"UnifiedIsDamaged",
     [](auto& found) { Unified(found) = Damaged(); },
     {"rebuild-unified 0 automatic"}},
    {"UnifiedIsMissingAndLegacyBehind",
     [](auto& found) {
       found.stores = {Whole(60), Missing()};
     },
     {"rebuild-unified 0 automatic"}},
    {"LegacyIsMissing",
     [](auto& found) { Legacy(found) = Missing(); },
     {"rebuild-legacy 0 automatic"}},
    {"LegacyIsAnothers",
     [](auto& found) { Legacy(found) = Whole(kLast, kOtherLog); },
     {"rebuild-legacy 0 automatic"}},
    {"TheLogDoesNotReachBackToUnified",
     [](auto& found) {
       found.log = Log({{50, kLast}});
       Unified(found) = Whole(10);
     },
     {"rebuild-unified 0 automatic"}},
    {"UnifiedHoldsSomeCollectionsAndLegacyIsDamaged",
     [](auto& found) {
       Legacy(found) = Damaged();
       Unified(found).report.state.collections = {"users"};
     },
     {"reconstruct ? confirm"}},
    {"TheLogIsDamagedBehindTheStores",
     [](auto& found) {
       found.log = Log({{1, 49}, {51, kLast}}, "batch 50 is damaged");
     },
     {"new-log-from-legacy 0 automatic"}},
    {"TheLogIsDamagedBeforeTheStores",
     [](auto& found) {
       found.log = Log({{1, 49}, {51, kLast}}, "batch 50 is damaged");
       found.stores = {Whole(30), Whole(40)};
       found.backups = {Backup("new", 45), Backup("old", 20)};
     },
     {"new-log-from-legacy 51 confirm", "backup-new 51 confirm", "backup-old 51 confirm"}},
    {"TheLogEndsBeforeTheStores",
     [](auto& found) {
       found.log = Log({{1, 90}});
     },
     {"new-log-from-legacy ? confirm"}},
    {"TheLogIsGone", LoseLog, {"new-log-from-legacy ? confirm"}},
    {"TheLogIsGoneAndUnifiedIsFurther",
     [](auto& found) {
       LoseLog(found);
       Legacy(found) = Whole(60);
     },
     {"new-log-from-unified ? confirm"}},
    {"TheLogIsGoneAndTheStoresAreOfTwoDirectories",
     [](auto& found) {
       LoseLog(found);
       Unified(found) = Whole(60, kOtherLog);
     },
     {"new-log-from-legacy ? person", "new-log-from-unified ? person"}},
    {"TheStoresDiffer",
     [](auto& found) { Unified(found).report.collections.front().hash = "other"; },
     {"rebuild-unified ? person", "rebuild-legacy ? person"}},
    {"TheOnlyStoreWasWrittenToByOthers",
     [](auto& found) {
       Legacy(found).report.is_foreign = true;
       Unified(found) = Damaged();
     },
     {"rebuild-unified ? person"}},
    {"UnifiedWasWrittenToByOthersAndHoldsTheSame",
     [](auto& found) { Unified(found).report.is_foreign = true; },
     {"rebuild-unified 0 automatic"}},
    {"UnifiedWasWrittenToByOthers",
     [](auto& found) {
       Unified(found) = Whole(60);
       Unified(found).report.is_foreign = true;
     },
     {"rebuild-unified 0 confirm"}},
    {"LegacyWasWrittenToByOthers",
     [](auto& found) {
       Legacy(found) = Whole(60);
       Legacy(found).report.is_foreign = true;
     },
     {"rebuild-legacy 0 person"}},
    {"BothWereWrittenToByOthers",
     [](auto& found) {
       Legacy(found).report.is_foreign = true;
       Unified(found).report.is_foreign = true;
     },
     {"rebuild-unified ? person"}},
    {"TheOnlyStoreInUseWasWrittenToByOthers",
     [](auto& found) {
       Legacy(found).report.is_foreign = true;
       Unified(found) = Unfilled();
     },
     {"start 0 automatic"}},
    {"BothStoresAreMissingAndTheLogReachesBackToABackup",
     [](auto& found) {
       found.stores = {Missing(), Missing()};
       found.log = Log({{50, kLast}});
       found.backups = {Backup("new", 60), Backup("old", 20)};
     },
     {"backup-new 0 automatic", "backup-old 80 confirm", "reconstruct ? confirm"}},
    {"TheNewestBackupIsDamaged",
     [](auto& found) {
       found.stores = {Damaged(), Missing()};
       found.backups = {Backup("new", 60, "damaged"), Backup("old", 20)};
     },
     {"backup-old 0 automatic", "reconstruct ? confirm"}},
    {"TheBackupIsOfAnEarlierHistory",
     [](auto& found) {
       found.stores = {Missing(), Missing()};
       found.log.epoch = 2;
       found.backups = {Backup("old", 20)};
     },
     {"backup-old 80 confirm", "reconstruct ? confirm"}},
    {"TheBackupIsAnothers",
     [](auto& found) {
       found.stores = {Missing(), Missing()};
       found.backups = {Backup("other", 20)};
       found.backups.front().log_id = kOtherLog;
     },
     {"backup-other ? person", "reconstruct ? confirm"}},
    {"EverythingIsLostButABackup",
     [](auto& found) {
       found.stores = {};
       found.log = {};
       found.generations.clear();
       found.generation.clear();
       found.backups = {Backup("new", 60)};
     },
     {"backup-new ? confirm"}},
    {"EverythingIsLost",
     [](auto& found) {
       found.stores = {};
       found.log = {};
       found.generations.clear();
       found.generation.clear();
     },
     {}},
    {"BothStoresAreDamaged",
     [](auto& found) {
       found.stores = {Damaged(), Damaged()};
     },
     {"reconstruct ? confirm"}},
    {"CurrentIsMissing",
     [](auto& found) { found.current_problem = "not there"; },
     {"use-gen-1 0 automatic"}},
    {"CurrentIsMissingAndTwoGenerationsMayBeIt",
     [](auto& found) {
       found.current_problem = "not there";
       found.is_generation_certain = false;
       found.generation = "gen-2";
       found.generations = {{"gen-1", 1, kLast, true}, {"gen-2", 2, kLast, false}};
     },
     {"use-gen-2 ? person", "use-gen-1 ? person"}},
    {"CurrentIsMissingAndUnifiedDamaged",
     [](auto& found) {
       found.current_problem = "not there";
       Unified(found) = Damaged();
     },
     {"rebuild-unified 0 automatic"}},
    {"CurrentIsMissingAndBothIsUncertain",
     [](auto& found) {
       found.current_problem = "not there";
       found.is_generation_certain = false;
       Unified(found) = Damaged();
     },
     {"rebuild-unified ? person"}},
    {"WhereTheStoresAreIsNotReadable",
     [](auto& found) { found.stores_problem = "stores.json is not readable"; },
     {"rebuild-unified 0 automatic"}},
};

INSTANTIATE_TEST_SUITE_P(Table, RescueProposalsTest, ::testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(RescueProposals, GoOnAfterEverythingThatWasEverSeen) {
  RescueExamination found = Healthy();
  Unified(found) = Damaged();
  found.backups = {Backup("new", 120)};
  found.generations.push_back({"gen-2", 5, 130, false});

  const auto proposals = ProposeRescue(found);

  EXPECT_EQ(proposals.front().last_sequence, 130u);
  EXPECT_EQ(proposals.front().epoch, 6u);
  EXPECT_EQ(proposals.front().log_id, kLog);
}

TEST(RescueProposals, LeaveAnUnfilledStoreUnfilled) {
  RescueExamination found = Healthy();
  found.log = Log({{1, 49}, {51, kLast}}, "batch 50 is damaged");
  Unified(found) = Unfilled();

  const auto proposals = ProposeRescue(found);

  ASSERT_EQ(proposals.size(), 1u);
  EXPECT_EQ(proposals.front().from, Role::kLegacy);
  EXPECT_FALSE(proposals.front().makes_other);
}

TEST(RescueProposals, SayWhatSpeaksForEachWhenAPersonMustDecide) {
  RescueExamination found = Healthy();
  Unified(found).report.collections.front().hash = "other";

  const auto proposals = ProposeRescue(found);

  ASSERT_EQ(proposals.size(), 2u);
  EXPECT_THAT(proposals[0].reason, HasSubstr("hold different records; legacy has 7"));
  EXPECT_THAT(proposals[1].reason, HasSubstr("hold different records; unified has 7"));
}

}  // namespace
}  // namespace switchback
