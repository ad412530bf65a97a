#include "service/write_pipeline.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/failpoints.hpp"
#include "tests/unit/service/pipeline_world.hpp"

namespace switchback {
namespace {

using test::FailsWith;
using test::Gate;
using test::IsOk;
using test::Must;
using test::PipelineWorld;
using test::ScopedFailpoints;
using test::TestOp;
using namespace std::chrono_literals;

TEST(WritePipeline, WhatWaitsTogetherIsOneBatchInTheOrderOfSubmission) {
  PipelineWorld world;
  const Collection& c = world.collection("c");
  std::vector<std::unique_ptr<TestOp>> ops;
  {
    Gate gate(world);
    for (int i = 0; i < 5; ++i) {
      ops.push_back(std::make_unique<TestOp>([&c, i](Transaction& transaction) {
        return transaction.Put(c, "k" + std::to_string(i), "v");
      }));
      world.pipeline->Submit(*ops.back());
    }
    EXPECT_EQ(world.pipeline->GetStats().queue_bytes, 500u);
  }
  for (auto& op : ops) EXPECT_TRUE(IsOk(op->Wait()));

  EXPECT_EQ(world.Logged(),
            (std::vector<std::vector<std::string>>{{"k0", "k1", "k2", "k3", "k4"}}));
  EXPECT_EQ(world.pipeline->GetStats().batches, 1u);
  EXPECT_EQ(world.pipeline->GetStats().writes, 6u);
  EXPECT_EQ(world.pipeline->GetStats().queue_bytes, 0u);
}

TEST(WritePipeline, AWriteSeesTheWritesBeforeItInTheSameBatch) {
  PipelineWorld world;
  const Collection& c = world.collection("c");
  const auto set_if_absent = [&c](Transaction& transaction) -> Status {
    auto value = transaction.Get(c, "lock");
    if (!value) return Fail(value.error());
    if (*value) return Fail(ErrorCode::kConflict, "taken by " + std::string(**value));
    return transaction.Put(c, "lock", "me");
  };
  TestOp first(set_if_absent), second(set_if_absent);
  TestOp remove([&c](Transaction& transaction) { return transaction.Delete(c, "lock"); });
  TestOp third(set_if_absent);
  {
    Gate gate(world);
    for (TestOp* op : {&first, &second, &remove, &third}) world.pipeline->Submit(*op);
  }
  EXPECT_TRUE(IsOk(first.Wait()));
  EXPECT_TRUE(FailsWith(second.Wait(), ErrorCode::kConflict));
  EXPECT_TRUE(IsOk(third.Wait()));
  EXPECT_EQ(world.Get("lock"), "me");
  EXPECT_EQ(world.Logged(), (std::vector<std::vector<std::string>>{{"lock", "lock", "lock"}}));
}

TEST(WritePipeline, AnErrorDropsTheWritesOwnEffectsAndNoOthers) {
  PipelineWorld world;
  const Collection& c = world.collection("c");
  TestOp before([&](Transaction& transaction) { return transaction.Put(c, "k", "before"); });
  TestOp failing([&](Transaction& transaction) -> Status {
    Must(transaction.Put(c, "k", "half"));
    Must(transaction.Clear(c));
    Must(transaction.Put(c, "other", "half"));
    return Fail(ErrorCode::kInvalidArgument, "changed my mind");
  });
  TestOp after([&](Transaction& transaction) -> Status {
    EXPECT_EQ(Must(transaction.Get(c, "k")), "before");
    EXPECT_EQ(Must(transaction.Get(c, "other")), std::nullopt);
    return transaction.Put(c, "after", "v");
  });
  {
    Gate gate(world);
    for (TestOp* op : {&before, &failing, &after}) world.pipeline->Submit(*op);
  }
  EXPECT_TRUE(FailsWith(failing.Wait(), ErrorCode::kInvalidArgument));
  EXPECT_TRUE(IsOk(after.Wait()));
  EXPECT_EQ(world.Logged(), (std::vector<std::vector<std::string>>{{"k", "after"}}));
  EXPECT_EQ(world.pipeline->GetStats().write_errors, 1u);
}

TEST(WritePipeline, ASavepointTakesBackPartOfAWrite) {
  PipelineWorld world;
  const Collection& c = world.collection("c");
  Must(world.pipeline->Write([&](Transaction& transaction) -> Status {
    Must(transaction.Put(c, "kept", "1"));
    const std::size_t savepoint = transaction.Savepoint();
    Must(transaction.Put(c, "kept", "2"));
    Must(transaction.Put(c, "dropped", "2"));
    EXPECT_EQ(Must(transaction.Get(c, "kept")), "2");
    transaction.RollbackTo(savepoint);
    EXPECT_EQ(Must(transaction.Get(c, "kept")), "1");
    EXPECT_EQ(Must(transaction.Get(c, "dropped")), std::nullopt);
    return {};
  }));
  EXPECT_EQ(world.Get("kept"), "1");
  EXPECT_EQ(world.Logged(), (std::vector<std::vector<std::string>>{{"kept"}}));
}

TEST(WritePipeline, AWriteWithoutEffectsNeedsNoLog) {
  PipelineWorld world;
  EXPECT_TRUE(IsOk(world.pipeline->Write([](Transaction&) -> Status { return {}; })));
  EXPECT_EQ(world.log->last_sequence(), 0u);
  EXPECT_EQ(world.pipeline->GetStats().batches, 0u);
}

TEST(WritePipeline, AFailedLogAnswersTheWholeBatchAndShowsNothing) {
  PipelineWorld world;
  const Collection& c = world.collection("c");
  Must(world.Put("k", "old"));
  const ScopedFailpoints failpoints("log.sync=error;log.create=error");
  TestOp write([&](Transaction& transaction) { return transaction.Put(c, "k", "new"); });
  TestOp read([&](Transaction& transaction) -> Status {
    return Must(transaction.Get(c, "k")) == "new" ? Status{} : Fail(ErrorCode::kInternal, "?");
  });
  {
    Gate gate(world);
    world.pipeline->Submit(write);
    world.pipeline->Submit(read);
  }
  EXPECT_TRUE(FailsWith(write.Wait(), ErrorCode::kUnknownOutcome));
  EXPECT_TRUE(FailsWith(read.Wait(), ErrorCode::kUnknownOutcome)) << "it has seen what is not";
  EXPECT_EQ(world.Get("k"), "old");
  EXPECT_TRUE(world.pipeline->GetStats().is_log_failed);
  EXPECT_NE(world.pipeline->GetStats().log_error, "");
  EXPECT_EQ(world.memtable->last_sequence(), 1u);
}

TEST(WritePipeline, WritesAreRefusedWithoutTryingUntilTheLogIsTriedAgain) {
  PipelineWorld world({.log_retry_interval = 1h});
  const ScopedFailpoints failpoints("log.append=error@1");
  EXPECT_FALSE(world.Put("k", "1"));
  const auto run = [](Transaction&) -> Status {
    ADD_FAILURE() << "resolved although the log is down";
    return {};
  };
  EXPECT_TRUE(FailsWith(world.pipeline->Write(run), ErrorCode::kIo));
  world.clock.Advance(2h);
  EXPECT_TRUE(IsOk(world.Put("k", "2")));
  EXPECT_FALSE(world.pipeline->GetStats().is_log_failed);
  EXPECT_EQ(world.Logged(), (std::vector<std::vector<std::string>>{{"k"}}));
}

TEST(WritePipeline, AFailedLogIsFoundWorkingAgainWithoutWrites) {
  PipelineWorld world({.log_retry_interval = 1ms});
  {
    const ScopedFailpoints failpoints("log.append=nospace;log.create=nospace");
    EXPECT_TRUE(FailsWith(world.Put("k", "1"), ErrorCode::kNoSpace));
    EXPECT_TRUE(world.pipeline->GetStats().is_log_failed);
  }
  while (world.pipeline->GetStats().is_log_failed) std::this_thread::yield();
  EXPECT_TRUE(IsOk(world.Put("k", "2")));
}

TEST(WritePipeline, AFullMemtableMakesWritersWaitForRoom) {
  PipelineWorld world({.backpressure_wait_max = 1min}, 3);
  for (int i = 0; i < 3; ++i) Must(world.Put("k" + std::to_string(i), "v"));
  TestOp op([&](Transaction& transaction) {
    return transaction.Put(world.collection("c"), "late", "v");
  });
  world.pipeline->Submit(op);
  while (world.pipeline->GetStats().backpressure_waits == 0) std::this_thread::yield();
  EXPECT_FALSE(op.is_done());

  world.ApplyAll();

  EXPECT_TRUE(IsOk(op.Wait()));
  EXPECT_EQ(world.pipeline->GetStats().backpressure_refusals, 0u);
}

TEST(WritePipeline, AMemtableThatStaysFullRefusesWritesAndStoresNothing) {
  PipelineWorld world({.backpressure_wait_max = 1ms}, 3);
  for (int i = 0; i < 3; ++i) Must(world.Put("k" + std::to_string(i), "v"));
  TestOp op([](Transaction&) -> Status { return {}; });
  world.pipeline->Submit(op);

  EXPECT_TRUE(FailsWith(op.Wait(), ErrorCode::kBusy));
  EXPECT_EQ(op.run_count(), 0);
  EXPECT_GE(world.relief_count, 1) << "whoever holds it up was asked to leave";
  EXPECT_EQ(world.pipeline->GetStats().backpressure_refusals, 1u);
  world.ApplyAll();
  EXPECT_TRUE(IsOk(world.Put("k", "again")));
}

TEST(WritePipeline, AQueueAtItsLimitRefusesAtOnce) {
  PipelineWorld world;
  TestOp large([](Transaction&) -> Status { return {}; }, kQueueBytesMax - 10);
  TestOp more([](Transaction&) -> Status { return {}; }, 11);
  TestOp little([](Transaction&) -> Status { return {}; }, 10);
  {
    Gate gate(world);
    world.pipeline->Submit(large);
    world.pipeline->Submit(more);
    ASSERT_TRUE(more.is_done());
    world.pipeline->Submit(little);
  }
  EXPECT_TRUE(FailsWith(more.Wait(), ErrorCode::kBusy));
  EXPECT_TRUE(IsOk(large.Wait()));
  EXPECT_TRUE(IsOk(little.Wait()));
}

TEST(WritePipeline, AGroupPastTheLimitIsSeveralBatches) {
  PipelineWorld world({}, 1 << 20);
  const Collection& c = world.collection("c");
  std::vector<std::unique_ptr<TestOp>> ops;
  {
    Gate gate(world);
    for (int i = 0; i < 6; ++i) {
      ops.push_back(std::make_unique<TestOp>([&c, i](Transaction& transaction) -> Status {
        for (int k = 0; k < 8000; ++k)
          SB_RETURN_IF_ERROR(transaction.Put(c, std::to_string(i) + "-" + std::to_string(k), ""));
        return {};
      }));
      world.pipeline->Submit(*ops.back());
    }
  }
  for (auto& op : ops) EXPECT_TRUE(IsOk(op->Wait()));

  std::vector<std::size_t> sizes;
  for (const auto& batch : world.Logged()) sizes.push_back(batch.size());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{24000, 24000})) << "a write is never cut";
}

TEST(WritePipeline, ATransactionPastItsLimitsIsRefused) {
  PipelineWorld world({.value_bytes_max = 1 << 20});
  const Collection& c = world.collection("c");
  const std::string value(1 << 20, 'v');
  EXPECT_TRUE(FailsWith(world.Put("k", value + "v"), ErrorCode::kTooLarge));
  const Status written = world.pipeline->Write([&](Transaction& transaction) -> Status {
    for (int i = 0; i < 200; ++i) SB_RETURN_IF_ERROR(transaction.Put(c, std::to_string(i), value));
    return {};
  });
  EXPECT_TRUE(FailsWith(written, ErrorCode::kTooLarge));
  EXPECT_EQ(world.log->last_sequence(), 0u);
}

TEST(WritePipeline, BlockingWritersFromManyThreadsAllGetTheirOwnAnswer) {
  PipelineWorld world({}, 1 << 20);
  constexpr int kThreads = 8;
  constexpr int kWrites = 150;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kWrites; ++i) {
        const bool fails = i % 3 == 0;
        const Status outcome = world.pipeline->Write([&](Transaction& transaction) -> Status {
          if (fails) return Fail(ErrorCode::kRefused, std::to_string(thread));
          return transaction.Put(world.collection("c"),
                                 std::to_string(thread) + "-" + std::to_string(i), "v");
        });
        EXPECT_EQ(outcome.has_value(), !fails);
        EXPECT_EQ(fails ? outcome.error().message : "", fails ? std::to_string(thread) : "");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  std::size_t logged = 0;
  for (const auto& batch : world.Logged()) logged += batch.size();
  EXPECT_EQ(logged, static_cast<std::size_t>(kThreads * kWrites * 2 / 3));
}

TEST(WritePipeline, StopAnswersWhatWaitsAndRefusesTheRest) {
  PipelineWorld world;
  TestOp waiting(
      [&](Transaction& transaction) { return transaction.Put(world.collection("c"), "k", "v"); });
  std::thread stopping;
  {
    Gate gate(world);
    world.pipeline->Submit(waiting);
    stopping = std::thread([&] { world.pipeline->Stop(); });
    // Once a write is refused, stopping has begun. What came before that is answered as usual.
    while (true) {
      TestOp late([](Transaction&) -> Status { return {}; });
      world.pipeline->Submit(late);
      gate.Open();
      if (!late.Wait()) {
        EXPECT_TRUE(FailsWith(late.Wait(), ErrorCode::kCancelled));
        break;
      }
    }
  }
  stopping.join();
  EXPECT_TRUE(IsOk(waiting.Wait()));
  EXPECT_TRUE(FailsWith(world.Put("k", "late"), ErrorCode::kCancelled));
  world.pipeline->Stop();
  EXPECT_EQ(world.Get("k"), "v");
}

TEST(WritePipeline, WithAckByStoresTheAnswerWaitsForThem) {
  PipelineWorld world({.is_ack_by_stores = true});
  const Collection& c = world.collection("c");
  TestOp first([&](Transaction& transaction) { return transaction.Put(c, "k1", "v"); });
  TestOp second([&](Transaction& transaction) { return transaction.Put(c, "k2", "v"); });
  TestOp third([&](Transaction& transaction) { return transaction.Put(c, "k3", "v"); });
  for (TestOp* op : {&first, &second, &third}) {
    const std::uint64_t sequence = world.memtable->last_sequence();
    world.pipeline->Submit(*op);
    while (world.memtable->last_sequence() == sequence) std::this_thread::yield();
  }
  EXPECT_EQ(world.Get("k1"), "v") << "visible, and not answered yet";
  EXPECT_FALSE(first.is_done());

  world.stores_durable = 2;
  world.pipeline->OnStoresDurable();
  // The pipeline's thread may be about to enqueue the third: only the first two are certain.
  EXPECT_TRUE(IsOk(first.Wait()));
  EXPECT_TRUE(IsOk(second.Wait()));
  EXPECT_FALSE(third.is_done());

  world.pipeline->Stop();
  world.pipeline->FailUnanswered();
  EXPECT_TRUE(FailsWith(third.Wait(), ErrorCode::kUnknownOutcome));
}

TEST(WritePipeline, IncrementsUnderWatchLoseNothing) {
  PipelineWorld world({}, 1 << 20);
  const Collection& c = world.collection("c");
  Must(world.Put("n", "0"));
  constexpr int kThreads = 4;
  constexpr int kIncrements = 100;
  std::atomic<int> retries{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      WatchRegistry::Set watches(world.watches);
      for (int i = 0; i < kIncrements;) {
        watches.Add(c, "n");
        const int seen = std::stoi(world.Get("n"));  // what a client reads after WATCH
        bool is_dirty = false;
        Must(world.pipeline->Write([&](Transaction& transaction) -> Status {
          is_dirty = transaction.IsDirty(watches);
          if (is_dirty) return {};
          return transaction.Put(c, "n", std::to_string(seen + 1));
        }));
        watches.Clear();
        is_dirty ? void(++retries) : void(++i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(world.Get("n"), std::to_string(kThreads * kIncrements));
  EXPECT_GT(retries, 0) << "the test has met what it tests";
}

TEST(WritePipeline, AWatchedKeyTouchedEarlierInTheBatchIsDirty) {
  PipelineWorld world;
  const Collection& c = world.collection("c");
  WatchRegistry::Set on_key(world.watches), on_other(world.watches), on_cleared(world.watches);
  on_key.Add(c, "k");
  on_other.Add(c, "other");
  on_cleared.Add(world.collection("d"), "any");
  const Status written = world.pipeline->Write([&](Transaction& transaction) -> Status {
    EXPECT_FALSE(transaction.IsDirty(on_key));
    Must(transaction.Delete(c, "k"));
    Must(transaction.Clear(world.collection("d")));
    EXPECT_TRUE(transaction.IsDirty(on_key));
    EXPECT_FALSE(transaction.IsDirty(on_other));
    EXPECT_TRUE(transaction.IsDirty(on_cleared));
    return Fail(ErrorCode::kRefused, "taken back");
  });
  EXPECT_TRUE(FailsWith(written, ErrorCode::kRefused));
  EXPECT_FALSE(on_key.is_dirty()) << "nothing has happened";
}

}  // namespace
}  // namespace switchback
