#include "rollback/retention.hpp"

#include <gtest/gtest.h>

#include <set>

namespace switchback {
namespace {

using std::chrono::hours;

constexpr auto kDay = hours(24);
const WallTime kNow = WallTime(std::chrono::seconds(1'800'000'000));

RetentionItem Item(const std::string& id, hours age) {
  RetentionItem item;
  item.id = id;
  item.created_at = kNow - age;
  item.is_verified = true;
  return item;
}

std::set<std::string> Gone(const RetentionPolicy& policy, const std::vector<RetentionItem>& items,
                           WallTime now = kNow, PruneBy by = PruneBy::kSchedule) {
  std::set<std::string> gone;
  for (const RetentionVerdict& verdict : DecideRetention(policy, items, now, by)) {
    EXPECT_FALSE(verdict.why.empty());
    if (verdict.goes) gone.insert(verdict.id);
  }
  return gone;
}

using Names = std::set<std::string>;

TEST(Retention, WhatIsOlderThanThirtyDaysGoes) {
  EXPECT_EQ(Gone({}, {Item("a", 0 * kDay), Item("b", 1 * kDay), Item("c", 30 * kDay),
                      Item("d", 32 * kDay), Item("e", 400 * kDay)}),
            (Names{"d", "e"}));
}

TEST(Retention, NothingGoesWhereThereIsNothingElse) {
  EXPECT_EQ(Gone({}, {}), Names{});
  EXPECT_EQ(Gone({}, {Item("a", 400 * kDay)}), Names{});
}

TEST(Retention, TheNewestVerifiedOneStays) {
  RetentionItem bad = Item("bad", 1 * kDay);
  bad.is_verified = false;
  RetentionItem worse = Item("worse", 2 * kDay);
  worse.is_verified = false;

  EXPECT_EQ(Gone({}, {bad, worse, Item("good", 100 * kDay), Item("older", 101 * kDay)}),
            (Names{"older"}));
}

TEST(Retention, ManyAreKeptByNumber) {
  RetentionPolicy policy;
  policy.age_max = hours(0);
  policy.count_max = 2;

  EXPECT_EQ(Gone(policy, {Item("a", 1 * kDay), Item("b", 2 * kDay), Item("c", 3 * kDay)}),
            (Names{"c"}));
}

TEST(Retention, GrandfathersFathersAndSonsStay) {
  RetentionPolicy policy;
  policy.age_max = hours(1);
  policy.daily = 3;
  policy.weekly = 2;
  policy.monthly = 2;
  std::vector<RetentionItem> items;
  for (int day = 0; day < 70; ++day) {
    items.push_back(Item("m" + std::to_string(day), day * kDay));
    items.push_back(Item("n" + std::to_string(day), day * kDay + hours(1)));
  }

  const Names gone = Gone(policy, items);

  // 2027-01-15 08:00 UTC, a Friday: three days, the Sunday before, the last of December; and n0,
  // the second newest, which is not old by itself.
  Names kept;
  for (const RetentionItem& item : items) {
    if (!gone.contains(item.id)) kept.insert(item.id);
  }
  EXPECT_EQ(kept, (Names{"m0", "n0", "m1", "m2", "m5", "m15"}));
}

TEST(Retention, WhatWasMadeBeforeSomethingStaysUntilItIsDeletedByHand) {
  for (const BackupReason reason : {BackupReason::kBeforeMigration,
                                    BackupReason::kBeforeSchemaChange, BackupReason::kBeforeRestore,
                                    BackupReason::kBeforeRollback, BackupReason::kBeforeComplete}) {
    RetentionItem item = Item("kept", 500 * kDay);
    item.reason = reason;
    EXPECT_EQ(Gone({}, {Item("a", hours(0)), Item("b", hours(1)), item}), Names{})
        << BackupReasonName(reason);
  }
}

TEST(Retention, PinnedDamagedAndUsedOnesStay) {
  for (bool RetentionItem::*member :
       {&RetentionItem::is_pinned, &RetentionItem::is_damaged, &RetentionItem::is_in_use}) {
    RetentionItem item = Item("kept", 500 * kDay);
    item.*member = true;
    EXPECT_EQ(Gone({}, {Item("a", hours(0)), Item("b", hours(1)), item}), Names{});
  }
}

TEST(Retention, OneFromTheFutureIsNeverOldAndStandsForNothing) {
  const RetentionItem future = Item("future", -1000 * kDay);

  EXPECT_EQ(Gone({}, {future, Item("a", 1 * kDay), Item("b", 2 * kDay), Item("old", 90 * kDay)}),
            (Names{"old"}));
  RetentionPolicy policy;
  policy.count_max = 1;
  EXPECT_EQ(Gone(policy, {future, Item("a", 1 * kDay)}), Names{}) << "a is the newest that counts";
}

TEST(Retention, AClockThatJumpedAheadDeletesNothing) {
  const std::vector<RetentionItem> items{Item("a", hours(0)), Item("b", 1 * kDay),
                                         Item("c", 20 * kDay)};
  const WallTime later = kNow + 10000 * kDay;

  EXPECT_EQ(Gone({}, items, later), Names{});
  auto with_one_made_since = items;
  with_one_made_since.push_back(Item("since", -10000 * kDay));
  EXPECT_EQ(Gone({}, with_one_made_since, later), Names{});
}

TEST(Retention, WhoLooksOnDeletesByTheAgeOfTheNewestOne) {
  const std::vector<RetentionItem> items{Item("new", hours(0)), Item("old", 40 * kDay)};

  EXPECT_EQ(Gone({}, items, kNow, PruneBy::kOperator), Names{"old"});
  EXPECT_EQ(Gone({}, items, kNow, PruneBy::kSchedule), Names{});
  EXPECT_EQ(Gone({}, {Item("a", hours(0)), Item("b", 20 * kDay)}, kNow + 10000 * kDay,
                 PruneBy::kOperator),
            Names{});
}

TEST(Retention, AClockThatWentBackDeletesNothing) {
  EXPECT_EQ(Gone({}, {Item("a", hours(0)), Item("b", 1 * kDay), Item("c", 20 * kDay)},
                 kNow - 10000 * kDay),
            Names{});
}

}  // namespace
}  // namespace switchback
