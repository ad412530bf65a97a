// The sink with real children.
#include "rollback/notify/command_sink.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using Kind = SinkOutcome::Kind;

class CommandSinkTest : public testing::Test {
 protected:
  // Runs a script of the shell, which the test is free to use.
  SinkOutcome Run(
      const std::string& script, std::chrono::milliseconds time_max = 10s,
      const std::function<bool()>& is_cancelled = [] { return false; }) {
    return Send({{"/bin/sh", "-c", script, "sh", folder_.path()}, time_max}, is_cancelled);
  }
  SinkOutcome Send(CommandOptions options, const std::function<bool()>& is_cancelled) {
    CommandSink sink(std::move(options));
    return sink.Send(notification_, is_cancelled);
  }
  [[nodiscard]] bool IsAlive(const std::string& pid_file) const {
    return ::kill(std::stoi(test::ReadBytes(folder_.File(pid_file))), 0) == 0;
  }

  CommandSinkTest() {
    notification_.id = "id1";
    notification_.kind = "guard.trip";
    notification_.severity = NotificationSeverity::kCritical;
    notification_.title = "it's \"quoted\"; $(true)";
  }
  test::TempDir folder_;
  Notification notification_;
};

TEST_F(CommandSinkTest, TheEventIsOnStandardInput) {
  const SinkOutcome outcome = Run("cat > \"$1/in\"");

  EXPECT_EQ(outcome.kind, Kind::kDelivered);
  EXPECT_EQ(test::ReadBytes(folder_.File("in")), NotificationJson(notification_) + "\n");
}

TEST_F(CommandSinkTest, AChildThatReadsNothingIsFine) {
  notification_.text = std::string(1 << 20, 'x');

  EXPECT_EQ(Run("exit 0").kind, Kind::kDelivered);
}

TEST_F(CommandSinkTest, ExitCodesCount) {
  const SinkOutcome outcome = Run("echo no such channel >&2; exit 3");

  EXPECT_EQ(outcome.kind, Kind::kFailed);
  EXPECT_EQ(outcome.text, "exit code 3: no such channel");
}

TEST_F(CommandSinkTest, ADeathCounts) {
  EXPECT_EQ(Run("kill -TERM $$").text, "died of signal 15");
}

TEST_F(CommandSinkTest, PastItsTimeItIsKilledWithItsChildren) {
  const SinkOutcome outcome =
      Run("sleep 1000 & echo $! > \"$1/child\"; echo $$ > \"$1/self\"; wait", 300ms);

  EXPECT_EQ(outcome.kind, Kind::kFailed);
  EXPECT_EQ(outcome.text, "killed after 300 ms");
  EXPECT_FALSE(IsAlive("self"));
}

TEST_F(CommandSinkTest, AStopEndsIt) {
  std::atomic<int> looks{0};

  const SinkOutcome outcome = Run("sleep 1000", 1000s, [&] { return ++looks > 1; });

  EXPECT_EQ(outcome.kind, Kind::kFailed);
}

TEST_F(CommandSinkTest, AFloodOfErrorsIsCut) {
  const SinkOutcome outcome = Run("yes >&2", 300ms);

  EXPECT_EQ(outcome.kind, Kind::kFailed);
  EXPECT_LE(outcome.text.size(), CommandSink::kErrorTextBytesMax + 100);
}

TEST_F(CommandSinkTest, AGrandchildThatStaysIsNotWaitedFor) {
  const SinkOutcome outcome = Run("sleep 1000 & echo $! > \"$1/child\"; exit 0");

  EXPECT_EQ(outcome.kind, Kind::kDelivered);
  ::kill(std::stoi(test::ReadBytes(folder_.File("child"))), SIGKILL);
}

TEST_F(CommandSinkTest, WhatIsNotThereCannotBeRun) {
  const SinkOutcome outcome = Send({{folder_.File("none")}, 1s}, [] { return false; });

  EXPECT_EQ(outcome.kind, Kind::kFailed);
  EXPECT_THAT(outcome.text, HasSubstr("No such file"));
}

TEST_F(CommandSinkTest, NoSecretsAreInherited) {
  ::setenv("SWITCHBACK_TOKEN", "s3cret", 1);

  Run("env > \"$1/env\"");

  ::unsetenv("SWITCHBACK_TOKEN");
  const std::string environment = test::ReadBytes(folder_.File("env"));
  EXPECT_THAT(environment, Not(HasSubstr("s3cret")));
  EXPECT_THAT(environment, HasSubstr("SWITCHBACK_NOTIFICATION_KIND=guard.trip\n"));
  EXPECT_THAT(environment, HasSubstr("SWITCHBACK_NOTIFICATION_SEVERITY=critical\n"));
  EXPECT_THAT(environment, HasSubstr("PATH="));
}

}  // namespace
}  // namespace switchback
