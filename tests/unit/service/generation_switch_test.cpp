// Going over to other stores while clients read and write, on the real engines.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "service/db_service.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/failpoints.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback::test {
namespace {

constexpr std::chrono::milliseconds kWaitMax{60000};

class GenerationSwitchTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  void Open() {
    DbServiceOptions options;
    options.data_dir = dir_.File("data");
    service_ = Must(DbService::Open(options));
  }
  void Reopen() {
    Must(service_->Close());
    service_.reset();
    Open();
  }
  const Collection& users() { return *Must(service_->catalog().Intern("users")); }
  void Put(const std::string& key, const std::string& value) {
    Must(service_->Put(users(), key, value));
  }
  std::string Get(const std::string& key) {
    const auto session = service_->NewSession();
    const auto value = Must(session->Get(users(), key));
    std::string copy = value ? std::string(*value) : "(none)";
    session->EndTurn();
    return copy;
  }
  // What one store alone says.
  std::string Stored(Role role, const std::string& key) {
    const auto view = Must(service_->fill_access().NewStoreView(role));
    Must(view->Begin());
    const auto value = Must(view->Get(users(), key));
    return value ? std::string(*value) : "(none)";
  }
  // A generation with what the stores hold now.
  std::string BuildNext(bool has_legacy = true) {
    const auto place = service_->NewGeneration();
    std::filesystem::create_directories(place.path + "/legacy");
    const PinnedStores pinned = Must(service_->PinStores(kWaitMax));
    const auto go_on = [](std::uint64_t) { return Status{}; };
    if (has_legacy)
      Must(pinned.view(Role::kLegacy)->CopyTo(place.path + "/legacy/data.mdb", go_on));
    Must(pinned.view(Role::kUnified)->CopyTo(place.path + "/unified.sqlite", go_on));
    Must(service_->DescribeGeneration(place.name, place.path + "/legacy",
                                      place.path + "/unified.sqlite", has_legacy));
    return place.name;
  }
  void SendAllToUnified() {
    auto snapshot = std::make_shared<FlagSnapshot>();
    snapshot->revision = snapshot->load_count = 1;
    FlagSettings settings;
    settings.enabled = true;
    settings.share = kShareTotal;
    snapshot->flags.emplace(kUnifiedFlagName, FlagRule(settings));
    service_->flags().Publish(snapshot);
    Must(service_->JudgeFlags());
  }

  TempDir dir_;
  std::unique_ptr<DbService> service_;
};

TEST_F(GenerationSwitchTest, GoesBackToWhatTheOtherStoresHold) {
  Put("a", "1");
  const std::string next = BuildNext();
  Put("a", "2");
  Put("b", "2");
  const ServiceStatus before = service_->GetStatus();

  Must(service_->SwitchGeneration(next, kWaitMax));

  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("b"), "(none)");
  const ServiceStatus after = service_->GetStatus();
  EXPECT_EQ(after.generation, next);
  EXPECT_EQ(after.epoch, before.epoch + 1);
  EXPECT_EQ(after.last_sequence, before.last_sequence) << "no number is used twice";
  for (const Role role : kRoles) {
    EXPECT_EQ(after.followers[Index(role)].state, FollowerState::kInSync);
    EXPECT_EQ(Stored(role, "b"), "(none)");
  }
}

TEST_F(GenerationSwitchTest, WhatIsWrittenAfterwardsIsThereAfterARestart) {
  Put("a", "1");
  const std::string next = BuildNext();
  Put("b", "lost");
  Must(service_->SwitchGeneration(next, kWaitMax));
  Put("c", "3");

  Reopen();

  EXPECT_EQ(service_->GetStatus().generation, next);
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("b"), "(none)");
  EXPECT_EQ(Get("c"), "3");
  Must(service_->Drain(kWaitMax));
  for (const Role role : kRoles) EXPECT_EQ(Stored(role, "c"), "3");
}

TEST_F(GenerationSwitchTest, ClientsWaitAndNoneFails) {
  for (int i = 0; i < 500; ++i) Put(std::to_string(i), "old");
  SendAllToUnified();
  std::atomic<bool> is_over{false};
  std::atomic<int> failures{0}, reads{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < 2; ++c) {
    clients.emplace_back([&, c] {
      const auto session = service_->NewSession();
      for (int i = 0; !is_over; ++i) {
        const std::string key = std::to_string(i % 500);
        if (c == 0 && !service_->Put(users(), key, std::to_string(i))) ++failures;
        if (!session->Get(users(), key)) ++failures;
        const std::vector<std::string_view> keys{key, "none"};
        if (!session->MultiGet(users(), keys)) ++failures;
        if (i % 20 == 0 && !session->Count(users())) ++failures;
        session->EndTurn();
        ++reads;
      }
    });
  }
  for (int round = 0; round < 5; ++round) {
    const std::string next = BuildNext();
    const int reads_before = reads;
    Must(service_->SwitchGeneration(next, kWaitMax));
    while (reads < reads_before + 50) std::this_thread::yield();
  }
  is_over = true;
  for (std::thread& client : clients) client.join();

  EXPECT_EQ(failures, 0);
  Must(service_->Drain(kWaitMax));
  for (int i = 0; i < 500; ++i)
    EXPECT_EQ(Stored(Role::kLegacy, std::to_string(i)), Stored(Role::kUnified, std::to_string(i)));
  EXPECT_EQ(service_->GetStatus().epoch, 6u);
}

TEST_F(GenerationSwitchTest, AfterAnErrorEverythingIsAsBefore) {
  Put("a", "1");
  for (const char* failpoint :
       {"service.switch=error@1", "service.switch=error@2", "directory.current=error@1",
        "directory.switched=error@1", "sqlite.commit=error@1", "lmdb.commit=error@1"}) {
    SCOPED_TRACE(failpoint);
    const std::string next = BuildNext();
    const std::string value = failpoint;
    Put("a", value);
    {
      const ScopedFailpoints failing(failpoint);
      EXPECT_FALSE(service_->SwitchGeneration(next, kWaitMax).has_value());
    }
    EXPECT_EQ(Get("a"), value);
    EXPECT_EQ(service_->GetStatus().generation, "gen-1");
    Put("b", value);
    Must(service_->Drain(kWaitMax));
    for (const Role role : kRoles) EXPECT_EQ(Stored(role, "b"), value);
    Reopen();
    EXPECT_EQ(service_->GetStatus().generation, "gen-1");
    EXPECT_EQ(Get("a"), value);
    EXPECT_EQ(Get("b"), value);
  }
}

TEST_F(GenerationSwitchTest, StoreThatIsNotThereHasToBeFilled) {
  Put("a", "1");
  const std::string next = BuildNext(/*has_legacy=*/false);
  Put("a", "2");

  Must(service_->SwitchGeneration(next, kWaitMax));

  EXPECT_EQ(Get("a"), "1");
  const ServiceStatus status = service_->GetStatus();
  EXPECT_EQ(status.followers[Index(Role::kLegacy)].state, FollowerState::kDetached);
  EXPECT_EQ(status.stage, "complete");
  Put("a", "3");
  Reopen();
  EXPECT_EQ(Get("a"), "3");
}

TEST_F(GenerationSwitchTest, WatchedKeysCountAsChanged) {
  Put("a", "1");
  const std::string next = BuildNext();
  const auto watches = service_->NewWatchSet();
  watches->Add(users(), "a");

  Must(service_->SwitchGeneration(next, kWaitMax));

  bool is_dirty = false;
  Must(service_->Write([&](Transaction& transaction) {
    is_dirty = transaction.IsDirty(*watches);
    return Status{};
  }));
  EXPECT_TRUE(is_dirty);
}

TEST_F(GenerationSwitchTest, ReaderThatHoldsASnapshotMakesItTryAgainLater) {
  Put("a", "1");
  Must(service_->Drain(kWaitMax));
  const std::string next = BuildNext();
  Put("a", "2");
  {
    const auto view = Must(service_->fill_access().NewStoreView(Role::kUnified));
    Must(view->Begin());
    EXPECT_TRUE(FailsWith(service_->SwitchGeneration(next, kWaitMax), ErrorCode::kBusy));
    EXPECT_EQ(Get("a"), "2");
  }
  Must(service_->SwitchGeneration(next, kWaitMax));
  EXPECT_EQ(Get("a"), "1");
}

}  // namespace
}  // namespace switchback::test
