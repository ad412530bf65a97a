#include "backends/memory_store.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/contract/store_under_test.hpp"

namespace switchback {
namespace {

class MemoryStoreTest : public testing::Test {
 protected:
  void Apply(MemoryBackend& backend, const std::string& key, std::uint64_t sequence) {
    StoreState state;
    state.log_id = "log";
    state.applied_sequence = sequence;
    const auto applied =
        backend.Apply(EffectList().Put(**catalog_.Intern("default"), key, "v").effects(), state);
    ASSERT_TRUE(applied.has_value()) << applied.error().message;
  }

  std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();
  CollectionCatalog catalog_;
};

TEST_F(MemoryStoreTest, PowerCutTakesWhatWasNotMadeDurable) {
  {
    MemoryBackend backend(store_, catalog_);
    Apply(backend, "a", 1);
    ASSERT_TRUE(backend.MakeDurable().has_value());
    Apply(backend, "b", 2);
  }

  store_->PowerCut();

  EXPECT_EQ(store_->State().applied_sequence, 1u);
  EXPECT_EQ(store_->Newest()->collections.at("default")->size(), 1u);
}

TEST_F(MemoryStoreTest, ContentThatWasHandedOutNeverChanges) {
  MemoryBackend backend(store_, catalog_);
  Apply(backend, "a", 1);
  const auto before = store_->Newest();

  Apply(backend, "b", 2);

  EXPECT_EQ(before->collections.at("default")->size(), 1u);
  EXPECT_EQ(store_->Newest()->collections.at("default")->size(), 2u);
}

TEST_F(MemoryStoreTest, HeldAppliesHangUntilReleased) {
  MemoryBackend backend(store_, catalog_);
  store_->HoldApplies();
  std::atomic<bool> is_applied{false};
  std::thread applying([&] {
    Apply(backend, "a", 1);
    is_applied = true;
  });

  EXPECT_EQ(store_->State().applied_sequence, 0u);
  EXPECT_FALSE(is_applied.load());
  store_->ReleaseApplies();
  applying.join();

  EXPECT_EQ(store_->State().applied_sequence, 1u);
}

TEST_F(MemoryStoreTest, LabelsTellFailpointsOfTwoBackendsApart) {
  MemoryBackend legacy(store_, catalog_, "legacy");
  auto other = std::make_shared<MemoryStore>();
  MemoryBackend unified(other, catalog_, "unified");
  const ScopedFailpoints failing("backend.unified.apply=error");

  Apply(legacy, "a", 1);

  EXPECT_FALSE(unified.Apply({}, StoreState{}).has_value());
}

}  // namespace
}  // namespace switchback
