// Both engines' writes go through the pacer, on a thread that has asked for it only; what it cannot
// write out fails the transaction.
#include "backends/write_pacer.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "common/limits.hpp"
#include "tests/contract/store_under_test.hpp"

namespace switchback {
namespace {

constexpr std::size_t kRecordCount = 2000;
constexpr std::size_t kValueBytes = 1000;
// LMDB writes up to two portions in one call.
constexpr std::size_t kPortionCountMin = kRecordCount * kValueBytes / kPacedWriteBytes / 2;

template <class Store>
class WritePacer : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = store_.Open(catalog_);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    backend_ = *std::move(opened);
  }

  // Runs on a thread of its own: pacing lasts as long as the thread.
  static std::size_t PortionsOf(const std::function<void()>& work) {
    std::size_t portions = 0;
    std::thread paced([&] {
      PaceWritesOfThisThread([&] { ++portions; });
      work();
    });
    paced.join();
    return portions;
  }

  bool ApplyMany(char fill) {
    EffectList list;
    const Collection& collection = **catalog_.Intern("many");
    for (std::size_t i = 0; i < kRecordCount; ++i)
      list.Put(collection, "key" + std::to_string(i), std::string(kValueBytes, fill));
    StoreState state;
    state.log_id = "log";
    state.applied_sequence = sequence_ + 1;
    const bool is_applied = backend_->Apply(list.effects(), state).has_value();
    if (is_applied) ++sequence_;
    return is_applied;
  }

  // Of the store itself, not of what we believe.
  std::uint64_t AppliedSequence() {
    auto state = backend_->State();
    EXPECT_TRUE(state.has_value());
    return state ? state->applied_sequence : 0;
  }

  Store store_;
  CollectionCatalog catalog_;
  std::unique_ptr<Backend> backend_;
  std::uint64_t sequence_ = 0;
};

using Engines = testing::Types<LmdbUnderTest, SqliteUnderTest>;
TYPED_TEST_SUITE(WritePacer, Engines);

TYPED_TEST(WritePacer, WritesABatchOutInPortions) {
  const std::size_t portions = this->PortionsOf([this] { EXPECT_TRUE(this->ApplyMany('a')); });
  EXPECT_GE(portions, kPortionCountMin);
}

TYPED_TEST(WritePacer, LeavesOtherThreadsAlone) {
  const std::size_t portions = this->PortionsOf([this] {
    std::thread other([this] { EXPECT_TRUE(this->ApplyMany('a')); });
    other.join();
  });
  EXPECT_EQ(portions, 0u);
}

TYPED_TEST(WritePacer, FailsATransactionThatCannotBeWrittenOut) {
  ASSERT_TRUE(this->ApplyMany('a'));
  this->PortionsOf([this] {
    const ScopedFailpoints failing("pacer.write=error@3");
    EXPECT_FALSE(this->ApplyMany('b'));
    EXPECT_FALSE(this->ApplyMany('c')) << "what is on the disk is unknown";
  });
  ASSERT_TRUE(this->backend_->Reopen().has_value());
  EXPECT_EQ(this->AppliedSequence(), this->sequence_) << "the batch did not happen";

  this->PortionsOf([this] { EXPECT_TRUE(this->ApplyMany('d')); });
  EXPECT_EQ(this->AppliedSequence(), this->sequence_);
}

}  // namespace
}  // namespace switchback
