#include "server/notification_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/shifted_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using testing::HasSubstr;

OperationRecord Ended(const char* kind, const char* status, const char* detail = "{}") {
  OperationRecord operation;
  operation.id = 7;
  operation.kind = kind;
  operation.actor = "ann";
  operation.status = status;
  operation.detail = detail;
  return operation;
}

TEST(NotificationSource, TellsOfEndsOnly) {
  EXPECT_FALSE(OperationNotification(Ended("backup", "running")));
  EXPECT_FALSE(OperationNotification(Ended("something-else", "done")));
  EXPECT_FALSE(OperationNotification(Ended("verify", "done"))) << "its end tells more";
  OperationRecord step = Ended("backup", "running");
  step.steps.push_back({"copy", "done", "", "", ""});
  EXPECT_FALSE(OperationNotification(step));
}

TEST(NotificationSource, ABackupAndARestoreAreTwoThings) {
  const auto backup =
      OperationNotification(Ended("backup", "done", R"({"operation":"create","id":"b1"})"));
  const auto restore = OperationNotification(
      Ended("backup", "failed", R"({"operation":"restore","id":"b1","error":"no space"})"));

  ASSERT_TRUE(backup && restore);
  EXPECT_EQ(backup->kind, "backup.result");
  EXPECT_EQ(backup->title, "Backup b1: done");
  EXPECT_EQ(backup->severity, NotificationSeverity::kInfo);
  EXPECT_EQ(backup->detail["operation_id"], 7);
  EXPECT_EQ(restore->kind, "restore.result");
  EXPECT_EQ(restore->title, "Restore b1: failed");
  EXPECT_EQ(restore->severity, NotificationSeverity::kCritical);
  EXPECT_THAT(restore->text, HasSubstr("Error: no space."));
}

TEST(NotificationSource, WhatACrashCutShortIsKnownByItsReason) {
  OperationRecord operation = Ended("backup", "failed", R"({"error":"stopped meanwhile"})");
  operation.reason = "restore b1";

  EXPECT_EQ(OperationNotification(operation)->kind, "restore.result");
}

TEST(NotificationSource, ARollbackInPartIsCritical) {
  EXPECT_EQ(OperationNotification(Ended("rollback-flag", "done", R"({"final_status":"SUCCESS"})"))
                ->severity,
            NotificationSeverity::kWarning);
  const auto partial =
      OperationNotification(Ended("rollback-flag", "done", R"({"final_status":"PARTIAL"})"));
  EXPECT_EQ(partial->kind, "rollback.result");
  EXPECT_EQ(partial->severity, NotificationSeverity::kCritical);
  EXPECT_THAT(partial->title, HasSubstr("done in part"));
}

TEST(NotificationSource, ARolloutTellsOfItsSteps) {
  OperationRecord step = Ended("rollout", "running");
  step.steps.push_back({"25 %", "done", "", "", "held for 10 min"});

  EXPECT_EQ(OperationNotification(step)->kind, "rollout.step");
  EXPECT_EQ(OperationNotification(Ended("rollout", "done"))->kind, "rollout.done");
  EXPECT_EQ(OperationNotification(Ended("rollout", "failed"))->kind, "rollout.abort");
  EXPECT_EQ(OperationNotification(Ended("rollout", "cancelled"))->kind, "rollout.abort");
}

TEST(NotificationSource, EveryKindItGivesIsKnown) {
  for (const char* kind : {"backup", "migration", "migration-complete", "migration-rollback",
                           "rollback-flag", "validation", "rollout", "schema"}) {
    const auto told = OperationNotification(Ended(kind, "failed"));
    ASSERT_TRUE(told) << kind;
    EXPECT_TRUE(IsNotificationKind(told->kind)) << told->kind;
  }
  EXPECT_TRUE(IsNotificationKind(AlertNotification({}).kind));
  EXPECT_TRUE(IsNotificationKind(SafeModeNotification("r").kind));
}

TEST(NotificationSource, ATripSaysWhatToDoAndADryRunThatNothingChanged) {
  GuardTrip trip;
  trip.reason = "5 of 100 reads failed";
  Latched latched;
  latched.id = 3;

  const Notification tripped = TripNotification(trip, latched);
  trip.is_dry_run = true;
  const Notification dry = TripNotification(trip, std::nullopt);

  EXPECT_EQ(tripped.kind, "guard.trip");
  EXPECT_EQ(tripped.severity, NotificationSeverity::kCritical);
  EXPECT_THAT(tripped.text, HasSubstr("rearm 3"));
  EXPECT_EQ(dry.kind, "guard.dry-run");
  EXPECT_THAT(dry.text, HasSubstr("nothing was changed"));
}

class CountingSink final : public NotificationSink {
 public:
  SinkOutcome Send(const Notification&, const std::function<bool()>&) override { return {}; }
  [[nodiscard]] const char* kind() const override { return "counting"; }
  [[nodiscard]] std::string target() const override { return ""; }
};

TEST(NotificationSource, TheSameDifferencesAreToldOnce) {
  test::TempDir folder;
  test::ShiftedClock clock;
  std::vector<NotifierSink> sinks;
  sinks.push_back({"one", {}, std::make_unique<CountingSink>()});
  NotifierOptions options;
  options.path = folder.File("spool");
  Notifier notifier(std::move(options), std::move(sinks), clock);
  NotificationSource source(notifier);
  VerifyStatus pass;
  pass.state = "running";
  pass.started_at = "2026-11-21T10:00:00Z";

  source.OnVerifyEnd(pass);
  pass.missing = 2;
  source.OnVerifyEnd(pass);
  source.OnVerifyEnd(pass);
  pass.missing = 3;
  source.OnVerifyEnd(pass);
  pass.state = "failed";
  source.OnVerifyEnd(pass);

  notifier.Start();
  while (notifier.GetStatus()[0].delivered < 3) std::this_thread::yield();
  notifier.Stop();
  EXPECT_EQ(notifier.GetStatus()[0].delivered, 3u);
}

}  // namespace
}  // namespace switchback
