// The map grows online, behind the gate, whoever is reading.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/contract/store_under_test.hpp"

namespace switchback {
namespace {

class LmdbMapGrowth : public testing::Test {
 protected:
  void SetUp() override {
    LmdbOptions options;
    options.path = directory_.File("env");
    options.map_bytes_min = 1 << 20;
    auto backend = LmdbBackend::Open(options, catalog_);
    ASSERT_TRUE(backend.has_value()) << backend.error().message;
    backend_ = *std::move(backend);
    collection_ = *catalog_.Intern("default");
  }

  Status ApplyOne(std::uint64_t sequence, std::size_t value_bytes) {
    StoreState state;
    state.log_id = "log";
    state.applied_sequence = sequence;
    const std::string value(value_bytes, static_cast<char>('a' + sequence % 26));
    const EffectList list = EffectList().Put(*collection_, "k" + std::to_string(sequence), value);
    return backend_->Apply(list.effects(), state);
  }

  TemporaryDirectory directory_;
  CollectionCatalog catalog_;
  std::unique_ptr<LmdbBackend> backend_;
  const Collection* collection_ = nullptr;
};

TEST_F(LmdbMapGrowth, GrowsAheadOfTheData) {
  for (std::uint64_t sequence = 1; sequence <= 40; ++sequence) {
    ASSERT_TRUE(ApplyOne(sequence, 100000).has_value());
  }

  EXPECT_GE(backend_->Stats().map_growths, 2u);
  EXPECT_GE(backend_->Stats().map_bytes, 4u << 20);
}

TEST_F(LmdbMapGrowth, OneBatchLargerThanTheMapFits) {
  ASSERT_TRUE(ApplyOne(1, 40 << 20).has_value());

  auto view = *backend_->NewReadView();
  ASSERT_TRUE(view->Begin().has_value());
  EXPECT_EQ((**view->Get(*collection_, "k1")).size(), std::size_t{40} << 20);
}

TEST_F(LmdbMapGrowth, GrownMapIsThereAfterReopen) {
  ASSERT_TRUE(ApplyOne(1, 10 << 20).has_value());

  ASSERT_TRUE(backend_->Reopen().has_value());

  auto view = *backend_->NewReadView();
  ASSERT_TRUE(view->Begin().has_value());
  EXPECT_EQ((**view->Get(*collection_, "k1")).size(), std::size_t{10} << 20);
}

TEST_F(LmdbMapGrowth, ReadersInOtherThreadsSeeOnlyWholeBatches) {
  ASSERT_TRUE(ApplyOne(1, 1000).has_value());
  std::atomic<bool> is_done{false};
  std::atomic<int> wrong_count{0};
  const auto read = [&] {
    auto view = *backend_->NewReadView();
    while (!is_done.load()) {
      if (!view->Begin()) {
        ++wrong_count;
        continue;
      }
      const std::uint64_t sequence = view->State()->applied_sequence;
      const auto value = view->Get(*collection_, "k" + std::to_string(sequence));
      if (!value || !*value || (**value)[0] != static_cast<char>('a' + sequence % 26)) {
        ++wrong_count;
      }
      view->End();
    }
  };
  std::thread one(read);
  std::thread two(read);

  for (std::uint64_t sequence = 2; sequence <= 60; ++sequence) {
    ASSERT_TRUE(ApplyOne(sequence, 200000).has_value());
  }
  is_done = true;
  one.join();
  two.join();

  EXPECT_EQ(wrong_count, 0);
  EXPECT_GE(backend_->Stats().map_growths, 3u);
}

// The room left by early growth is used first; then the batch is refused cleanly, until the reader
// ends its snapshot.
TEST_F(LmdbMapGrowth, ReaderThatHoldsItsSnapshotMakesTheBatchBusyNotWrong) {
  ASSERT_TRUE(ApplyOne(1, 1000).has_value());
  auto view = *backend_->NewReadView();
  ASSERT_TRUE(view->Begin().has_value());

  const auto refused = ApplyOne(2, 64 << 20);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kBusy);
  EXPECT_EQ((**view->Get(*collection_, "k1")).size(), 1000u);
  view->End();
  EXPECT_EQ(backend_->State()->applied_sequence, 1u);
  EXPECT_TRUE(ApplyOne(2, 64 << 20).has_value());
}

}  // namespace
}  // namespace switchback
