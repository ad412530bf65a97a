#include "rollback/notify/notifier.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "tests/support/expect_ok.hpp"
#include "tests/support/shifted_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using namespace std::chrono_literals;
using test::FailsWith;
using test::IsOk;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// What sinks got, and what they are to answer: in order, then delivered. Outlives the sink.
struct Receiver {
  std::vector<std::string> titles;
  std::deque<SinkOutcome> answers;
};

class FakeSink final : public NotificationSink {
 public:
  explicit FakeSink(Receiver& receiver) : receiver_(receiver) {}
  SinkOutcome Send(const Notification& notification, const std::function<bool()>&) override {
    receiver_.titles.push_back(notification.title);
    if (receiver_.answers.empty()) return {SinkOutcome::Kind::kDelivered, "ok"};
    SinkOutcome answer = receiver_.answers.front();
    receiver_.answers.pop_front();
    return answer;
  }
  [[nodiscard]] const char* kind() const override { return "fake"; }
  [[nodiscard]] std::string target() const override { return "here"; }

 private:
  Receiver& receiver_;
};

// Waits until it is cancelled.
class HangingSink final : public NotificationSink {
 public:
  SinkOutcome Send(const Notification&, const std::function<bool()>& is_cancelled) override {
    while (!is_cancelled()) std::this_thread::yield();
    return {SinkOutcome::Kind::kFailed, "cancelled"};
  }
  [[nodiscard]] const char* kind() const override { return "hanging"; }
  [[nodiscard]] std::string target() const override { return "nowhere"; }
};

const SinkOutcome kAway{SinkOutcome::Kind::kFailed, "away"};
const SinkOutcome kNo{SinkOutcome::Kind::kRefused, "status 404"};

class SinkWorkerTest : public testing::Test {
 protected:
  Notification Named(const std::string& title) const {
    Notification notification;
    notification.id = title;
    notification.time = clock_.WallNow();
    notification.kind = "backup.result";
    notification.title = title;
    return notification;
  }
  std::unique_ptr<SinkWorker> NewWorker(Spool& spool) {
    return std::make_unique<SinkWorker>("one", std::make_unique<FakeSink>(receiver_),
                                        NotificationFilter(), spool, clock_, RetryPolicy());
  }

  test::TempDir folder_;
  test::ShiftedClock clock_;
  Receiver receiver_;
  const std::string path_ = folder_.File("notifications.sqlite");
  Spool spool_{path_, {"one"}, 100};
  const std::unique_ptr<SinkWorker> worker_ = NewWorker(spool_);
};

TEST_F(SinkWorkerTest, SendsInOrderAndForgets) {
  spool_.Append(Named("a"), {"one"});
  spool_.Append(Named("b"), {"one"});

  while (worker_->Step()) {
  }

  EXPECT_THAT(receiver_.titles, ElementsAre("a", "b"));
  EXPECT_EQ(worker_->GetStatus().delivered, 2u);
  EXPECT_EQ(worker_->GetStatus().waiting, 0u);
  EXPECT_EQ(worker_->GetStatus().last_outcome, "delivered");
}

TEST_F(SinkWorkerTest, WaitsAfterAFailureAndThenTriesAgain) {
  receiver_.answers = {kAway};
  spool_.Append(Named("a"), {"one"});

  EXPECT_FALSE(worker_->Step());
  EXPECT_FALSE(worker_->Step()) << "held";
  EXPECT_THAT(receiver_.titles, ElementsAre("a"));
  EXPECT_EQ(worker_->GetStatus().waiting, 1u);
  EXPECT_GT(worker_->GetStatus().next_attempt_seconds.value_or(0), 0.0);

  clock_.Advance(1s);
  EXPECT_TRUE(worker_->Step());
  EXPECT_THAT(receiver_.titles, ElementsAre("a", "a"));
  EXPECT_EQ(worker_->GetStatus().failed, 1u);
  EXPECT_EQ(worker_->GetStatus().delivered, 1u);
  EXPECT_FALSE(worker_->GetStatus().next_attempt_seconds);
}

TEST_F(SinkWorkerTest, OneThatAlwaysFailsDoesNotHoldUpTheRest) {
  receiver_.answers = {kAway};
  spool_.Append(Named("bad"), {"one"});
  spool_.Append(Named("good"), {"one"});

  worker_->Step();
  clock_.Advance(1s);
  worker_->Step();

  EXPECT_THAT(receiver_.titles, ElementsAre("bad", "good"));
}

TEST_F(SinkWorkerTest, WhatIsRefusedIsNotSentAgain) {
  receiver_.answers = {kNo};
  spool_.Append(Named("a"), {"one"});

  EXPECT_TRUE(worker_->Step());
  clock_.Advance(24h);
  while (worker_->Step()) {
  }

  EXPECT_THAT(receiver_.titles, ElementsAre("a"));
  EXPECT_EQ(worker_->GetStatus().refused, 1u);
  EXPECT_EQ(worker_->GetStatus().waiting, 0u);
}

TEST_F(SinkWorkerTest, WhatIsADayOldIsGivenUp) {
  receiver_.answers = {kAway};
  spool_.Append(Named("a"), {"one"});
  worker_->Step();

  clock_.Advance(24h);
  while (worker_->Step()) {
  }

  EXPECT_THAT(receiver_.titles, ElementsAre("a"));
  EXPECT_EQ(worker_->GetStatus().expired, 1u);
  EXPECT_EQ(worker_->GetStatus().waiting, 0u);
}

TEST_F(SinkWorkerTest, TheReceiversWishToWaitCounts) {
  receiver_.answers = {{SinkOutcome::Kind::kFailed, "status 429", 60s}};
  spool_.Append(Named("a"), {"one"});
  worker_->Step();

  clock_.Advance(50s);
  EXPECT_FALSE(worker_->Step());
  clock_.Advance(11s);
  EXPECT_TRUE(worker_->Step());

  EXPECT_EQ(receiver_.titles.size(), 2u);
}

TEST_F(SinkWorkerTest, ATestIsNeitherKeptNorRepeated) {
  receiver_.answers = {kAway};

  EXPECT_EQ(worker_->Test(Named("t"), [] { return false; }).text, "away");
  while (worker_->Step()) {
  }

  EXPECT_THAT(receiver_.titles, ElementsAre("t"));
  EXPECT_EQ(worker_->GetStatus().last_outcome, "failed");
}

TEST_F(SinkWorkerTest, ATestThatArrivesEndsTheWaiting) {
  receiver_.answers = {kAway};
  spool_.Append(Named("a"), {"one"});
  worker_->Step();
  ASSERT_FALSE(worker_->Step());

  worker_->Test(Named("t"), [] { return false; });

  EXPECT_TRUE(worker_->Step());
  EXPECT_THAT(receiver_.titles, ElementsAre("a", "t", "a"));
}

using SpoolTest = SinkWorkerTest;

TEST_F(SpoolTest, OutlivesItsProcessWithItsAttempts) {
  test::TempDir folder;
  const std::string path = folder.File("spool");
  {
    Spool before(path, {"one", "two"}, 100);
    before.Append(Named("a"), {"one", "two"});
    before.Append(Named("b"), {"one"});
    before.AddAttempt("one", *before.Next("one"));
  }

  Spool after(path, {"one", "two"}, 100);

  EXPECT_EQ(after.Count("one"), 2u);
  EXPECT_EQ(after.Count("two"), 1u);
  EXPECT_EQ(after.Next("one")->notification.title, "b") << "it failed less";
  EXPECT_EQ(after.Next("two")->notification.title, "a");
}

TEST_F(SpoolTest, TheOldestGoWhereThereAreTooMany) {
  test::TempDir folder;
  Spool spool(folder.File("spool"), {"one", "two"}, 3);
  Spool::Dropped dropped;
  for (const char* title : {"a", "b", "c"}) dropped = spool.Append(Named(title), {"one", "two"});
  EXPECT_THAT(dropped, IsEmpty());

  dropped = spool.Append(Named("d"), {"two"});

  EXPECT_EQ(dropped["one"], 1u);
  EXPECT_EQ(dropped["two"], 1u);
  EXPECT_EQ(spool.Next("one")->notification.title, "b");
  EXPECT_EQ(spool.Count("two"), 3u);
}

TEST_F(SpoolTest, WhatWaitsForASinkThatIsGoneIsDropped) {
  test::TempDir folder;
  const std::string path = folder.File("spool");
  Spool(path, {"one", "two"}, 100).Append(Named("a"), {"one", "two"});

  Spool(path, {"two"}, 100);

  EXPECT_EQ(Spool(path, {"one", "two"}, 100).Count("one"), 0u);
  EXPECT_EQ(Spool(path, {"one", "two"}, 100).Count("two"), 1u);
}

TEST_F(SpoolTest, WhereThereIsNoFileMemoryHasToDo) {
  test::TempDir folder;
  test::WriteBytes(folder.File("spool"), std::string(4096, 'x'));
  Spool spool(folder.File("spool"), {"one"}, 100);

  spool.Append(Named("a"), {"one"});

  ASSERT_EQ(spool.Count("one"), 1u);
  spool.Remove("one", *spool.Next("one"));
  EXPECT_FALSE(spool.Next("one"));
}

class NotifierTest : public SinkWorkerTest {
 protected:
  NotifierOptions Options() {
    NotifierOptions options;
    options.path = folder_.File("notifier.sqlite");
    options.source = "here";
    return options;
  }
  std::vector<NotifierSink> Sinks(NotificationFilter filter = {}) {
    std::vector<NotifierSink> sinks;
    sinks.push_back({"fake", std::move(filter), std::make_unique<FakeSink>(receiver_)});
    return sinks;
  }
  static Notification Plain(const char* kind) {
    Notification notification;
    notification.kind = notification.title = kind;
    return notification;
  }
};

TEST_F(NotifierTest, WhatIsPublishedIsKeptByAStopAndSentByTheNextStart) {
  {
    std::vector<NotifierSink> sinks;
    sinks.push_back({"fake", {}, std::make_unique<HangingSink>()});
    Notifier before(Options(), std::move(sinks), clock_);
    before.Start();
    before.Publish(Plain("backup.result"));
    before.Publish(Plain("restore.result"));
    before.Stop();
  }
  Notifier after(Options(), Sinks(), clock_);
  EXPECT_EQ(after.GetStatus()[0].waiting, 2u);

  after.Start();
  while (after.GetStatus()[0].delivered < 2) std::this_thread::yield();
  after.Stop();

  EXPECT_THAT(receiver_.titles, ElementsAre("backup.result", "restore.result"));
}

TEST_F(NotifierTest, ASinkThatHangsHoldsUpNobody) {
  auto sinks = Sinks();
  sinks.push_back({"hanging", {}, std::make_unique<HangingSink>()});
  Notifier notifier(Options(), std::move(sinks), clock_);
  notifier.Start();

  notifier.Publish(Plain("backup.result"));
  while (notifier.GetStatus()[0].delivered == 0) std::this_thread::yield();
  notifier.Stop();

  EXPECT_EQ(notifier.GetStatus()[1].waiting, 1u);
  EXPECT_EQ(notifier.GetStatus()[1].failed, 0u) << "the stop says nothing about the receiver";
}

TEST_F(NotifierTest, EachSinkGetsWhatItWants) {
  Notifier notifier(Options(), Sinks(NotificationFilter({"guard.*"})), clock_);
  notifier.Publish(Plain("backup.result"));
  notifier.Publish(Plain("guard.trip"));
  notifier.Start();
  notifier.Flush();

  while (notifier.GetStatus()[0].delivered == 0) std::this_thread::yield();
  notifier.Stop();

  EXPECT_THAT(receiver_.titles, ElementsAre("guard.trip"));
}

TEST_F(NotifierTest, WhatNobodyWritesDownIsBoundedAsWell) {
  NotifierOptions options = Options();
  options.waiting_max = 2;
  Notifier notifier(std::move(options), Sinks(), clock_);

  for (int i = 0; i < 5; ++i) notifier.Publish(Plain("backup.result"));

  EXPECT_EQ(notifier.GetStatus()[0].dropped, 3u);
}

TEST_F(NotifierTest, WithoutSinksItIsNothing) {
  Notifier notifier(Options(), {}, clock_);
  notifier.Start();
  notifier.Publish(Plain("guard.trip"));

  EXPECT_THAT(notifier.GetStatus(), IsEmpty());
  EXPECT_TRUE(FailsWith(notifier.Test(""), ErrorCode::kNotFound));
  EXPECT_FALSE(std::filesystem::exists(folder_.File("notifier.sqlite")));
}

TEST_F(NotifierTest, TestsOneSinkOrAll) {
  auto sinks = Sinks();
  Receiver other;
  other.answers = {kAway};
  sinks.push_back({"other", {}, std::make_unique<FakeSink>(other)});
  Notifier notifier(Options(), std::move(sinks), clock_);

  EXPECT_TRUE(FailsWith(notifier.Test("third"), ErrorCode::kNotFound));
  const auto all = test::Must(notifier.Test(""));
  const auto one = test::Must(notifier.Test("other"));

  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].outcome.kind, SinkOutcome::Kind::kDelivered);
  EXPECT_EQ(all[1].outcome.kind, SinkOutcome::Kind::kFailed);
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].outcome.kind, SinkOutcome::Kind::kDelivered);
}

TEST_F(NotifierTest, ATestThatHangsIsCancelled) {
  std::vector<NotifierSink> sinks;
  sinks.push_back({"hanging", {}, std::make_unique<HangingSink>()});
  Notifier notifier(Options(), std::move(sinks), clock_);
  notifier.CancelTests();

  EXPECT_EQ(test::Must(notifier.Test(""))[0].outcome.text, "cancelled");
}

}  // namespace
}  // namespace switchback
