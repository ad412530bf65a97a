// A transaction reads its own writes over the batch, the memtable and the store.
#include "service/batch_transaction.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/unit/service/pipeline_world.hpp"

namespace switchback {
namespace {

using test::FailsWith;
using test::IsOk;
using test::Must;
using test::PipelineWorld;
using Records = std::map<std::string, std::string>;

Records ScanAll(Transaction& transaction, const Collection& collection,
                std::string_view from = "") {
  Records records;
  Must(transaction.Scan(collection, from, [&](std::string_view key, std::string_view value) {
    EXPECT_TRUE(records.empty() || records.rbegin()->first < key);
    records.emplace(key, value);
    return true;
  }));
  return records;
}

TEST(BatchTransaction, ReadsGoThroughBatchMemtableAndStore) {
  PipelineWorld world;
  const Collection& c = world.collection("c");
  for (const char* key : {"a", "b", "d"}) Must(world.Put(key, "stored"));
  world.ApplyAll();
  Must(world.Put("b", "memtable"));
  Must(world.Put("c", "memtable"));

  Must(world.pipeline->Write([&](Transaction& transaction) -> Status {
    Must(transaction.Put(c, "c", "batch"));
    Must(transaction.Put(c, "e", "batch"));
    Must(transaction.Delete(c, "d"));
    EXPECT_EQ(ScanAll(transaction, c),
              (Records{{"a", "stored"}, {"b", "memtable"}, {"c", "batch"}, {"e", "batch"}}));
    EXPECT_EQ(ScanAll(transaction, c, "bb"), (Records{{"c", "batch"}, {"e", "batch"}}));
    EXPECT_EQ(Must(transaction.Count(c)), 4u);
    const std::array<std::string_view, 3> keys{"e", "a", "d"};
    EXPECT_EQ(Must(transaction.MultiGet(c, keys)),
              (std::vector<std::optional<std::string>>{"batch", "stored", std::nullopt}));
    Must(transaction.Clear(c));
    EXPECT_EQ(Must(transaction.Count(c)), 0u);
    EXPECT_EQ(ScanAll(transaction, c), Records{});
    Must(transaction.Put(c, "only", "1"));
    EXPECT_EQ(ScanAll(transaction, c), (Records{{"only", "1"}}));
    EXPECT_EQ(Must(transaction.Count(c)), 1u);
    return {};
  }));
}

TEST(BatchTransaction, AVisitorMayStopAnywhere) {
  PipelineWorld world;
  const Collection& c = world.collection("c");
  for (const char* key : {"a", "c", "e"}) Must(world.Put(key, "v"));
  Must(world.pipeline->Write([&](Transaction& transaction) -> Status {
    Must(transaction.Put(c, "b", "v"));
    Must(transaction.Put(c, "f", "v"));
    for (std::size_t stop = 1; stop <= 5; ++stop) {
      std::string seen;
      Must(transaction.Scan(c, "", [&](std::string_view key, std::string_view) {
        seen += key;
        return seen.size() < stop;
      }));
      EXPECT_EQ(seen, std::string("abcef").substr(0, stop));
    }
    return {};
  }));
}

TEST(BatchTransaction, KeysAndValuesAreChecked) {
  PipelineWorld world({.value_bytes_max = 10});
  const Collection& c = world.collection("c");
  Must(world.pipeline->Write([&](Transaction& transaction) -> Status {
    EXPECT_TRUE(FailsWith(transaction.Put(c, "", "v"), ErrorCode::kInvalidArgument));
    EXPECT_TRUE(
        FailsWith(transaction.Put(c, std::string(512, 'k'), "v"), ErrorCode::kInvalidArgument));
    EXPECT_TRUE(FailsWith(transaction.Put(c, "k", "12345678901"), ErrorCode::kTooLarge));
    EXPECT_TRUE(FailsWith(transaction.Delete(c, ""), ErrorCode::kInvalidArgument));
    EXPECT_EQ(transaction.Savepoint(), 0u) << "an error adds nothing";
    return {};
  }));
}

// The whole interface against std::map, with rollbacks, while records move from the memtable into
// the store.
TEST(BatchTransaction, AgreesWithAMapUnderRandomTransactions) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  PipelineWorld world({}, 1 << 20);
  const Collection& c = world.collection("c");
  Records model;
  for (int round = 0; round < 300; ++round) {
    Records after = model;
    const bool is_refused = random() % 5 == 0;
    const Status written = world.pipeline->Write([&](Transaction& transaction) -> Status {
      Records at_savepoint = after;
      std::size_t savepoint = transaction.Savepoint();
      for (std::size_t step = 0, steps = random() % 12; step < steps; ++step) {
        const std::string key = "k" + std::to_string(random() % 10);
        switch (random() % 9) {
          case 0:
          case 1:
          case 2:
            Must(transaction.Put(c, key, std::to_string(round)));
            after[key] = std::to_string(round);
            break;
          case 3:
            Must(transaction.Delete(c, key));
            after.erase(key);
            break;
          case 4:
            if (random() % 3 != 0) break;
            Must(transaction.Clear(c));
            after.clear();
            break;
          case 5:
            savepoint = transaction.Savepoint();
            at_savepoint = after;
            break;
          case 6:
            transaction.RollbackTo(savepoint);
            after = at_savepoint;
            break;
          case 7: {
            const auto found = after.find(key);
            const auto value = Must(transaction.Get(c, key));
            EXPECT_EQ(value.value_or("(none)"), found == after.end() ? "(none)" : found->second);
            break;
          }
          default:
            EXPECT_EQ(ScanAll(transaction, c), after);
            EXPECT_EQ(Must(transaction.Count(c)), after.size());
        }
      }
      return is_refused ? Status(Fail(ErrorCode::kRefused, "")) : Status{};
    });
    ASSERT_EQ(written.has_value(), !is_refused);
    if (written) model = std::move(after);
    if (random() % 10 == 0) world.ApplyAll();
    ASSERT_FALSE(::testing::Test::HasFailure()) << "round " << round;
  }
  EXPECT_TRUE(IsOk(world.pipeline->Write([&](Transaction& transaction) -> Status {
    EXPECT_EQ(ScanAll(transaction, c), model);
    return {};
  })));
}

}  // namespace
}  // namespace switchback
