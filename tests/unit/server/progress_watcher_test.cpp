// What becomes an event of what is looked at, without the thread that looks.
#include "server/progress_watcher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>

#include "server/http/event_json.hpp"

namespace switchback {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Json = nlohmann::ordered_json;
using News = std::vector<Json>;

class ProgressWatcherTest : public testing::Test {
 protected:
  std::vector<std::string> Published() {
    std::vector<std::string> texts;
    for (const auto& event : hub_.Since(0, 100).events) texts.push_back(event->topic + event->data);
    return texts;
  }

  EventHub hub_{SystemClock()};
  News news_;
};

TEST_F(ProgressWatcherTest, PublishesOnlyWhatHasChanged) {
  ProgressWatcher watcher(hub_, {{"backup", "", [this] { return news_; }}});
  news_ = {Json{{"stage", "pin"}}, Json{{"stage", "copy"}}};
  watcher.Look();
  EXPECT_THAT(Published(), IsEmpty()) << "the first look is where the news begin";

  news_ = {Json{{"stage", "copy"}}};
  watcher.Look();
  news_ = {Json{{"stage", "check"}}, Json{{"stage", "publish"}}};
  watcher.Look();
  news_ = {Json{{"stage", "publish"}}};
  watcher.Look();
  news_.clear();
  watcher.Look();

  EXPECT_THAT(Published(),
              ElementsAre(R"(backup{"stage":"check"})", R"(backup{"stage":"publish"})"));
}

TEST_F(ProgressWatcherTest, KnowsTheStateOfEachTopicAndOfItsParts) {
  ProgressWatcher watcher(hub_, {{"follower", "legacy",
                                  [] {
                                    return News{Json{{"s", 1}}};
                                  }},
                                 {"follower", "unified",
                                  [] {
                                    return News{Json{{"s", 2}}};
                                  }},
                                 {"restore", "", [] { return News{}; }}});
  hub_.Publish("flags", Json::object());

  const auto present = watcher.Look();

  EXPECT_EQ(present.state, R"({"follower":{"legacy":{"s":1},"unified":{"s":2}}})");
  EXPECT_EQ(present.number, 1u);
  EXPECT_EQ(watcher.state(), present.state);
}

TEST_F(ProgressWatcherTest, LooksByItselfOnceSomebodyHasAskedAndEndsAtOnce) {
  std::latch looks(3);
  int left = 3;
  ProgressWatcher watcher(hub_, {{"flags", "", [&] {
                                    if (left-- > 0) looks.count_down();
                                    return News{};
                                  }}});
  watcher.Start();
  const auto subscription = hub_.Subscribe([] {});

  watcher.Look();
  watcher.Poke();
  looks.wait();
  watcher.Stop();
}

TEST(BackupEvents, HaveOneForEachStageAndTheEnd) {
  BackupOperation operation;
  operation.kind = "create";
  operation.is_running = true;
  operation.progress.stages = {"space", "pin", "copy"};
  operation.progress.stage = "copy";
  const auto stages = [&](std::size_t first) {
    std::vector<std::string> names;
    for (const Json& event : BackupEventsJson(operation, first))
      names.push_back(event.value("state", "") + " " + event.value("stage", ""));
    return names;
  };

  EXPECT_THAT(stages(0), ElementsAre("running space", "running pin", "running copy"));
  EXPECT_THAT(stages(3), ElementsAre("running copy"));
  operation.is_running = false;
  EXPECT_THAT(stages(1), ElementsAre("running pin", "running copy", "done copy"));
  EXPECT_THAT(stages(3), ElementsAre("done copy"));
}

TEST(MigrationEvents, LeaveOutWhatMovesWithEveryWriteOnceItIsOver) {
  MigrationStatus status;
  status.state = "complete";
  status.records_total = 5;
  EXPECT_FALSE(MigrationEventJson(status).contains("records_total"));

  status.state = "running";
  EXPECT_EQ(MigrationEventJson(status)["records_total"], 5);
}

TEST(OperationEvents, HoldTheStepAndTheDetail) {
  OperationRecord operation;
  operation.id = 7;
  operation.kind = "schema";
  operation.detail = R"({"a":1})";
  operation.steps = {{"up 1", "failed", "", "", "why"}};

  const Json event = OperationEventJson(operation);

  EXPECT_EQ(event["step"]["status"], "failed");
  EXPECT_EQ(event["detail"]["a"], 1);
  operation.detail = "broken";
  EXPECT_EQ(OperationEventJson(operation)["detail"], Json::object());
}

}  // namespace
}  // namespace switchback
