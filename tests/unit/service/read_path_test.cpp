// Reads: never stale, from one point in time, and answered by the other store when one fails (I4,
// I6).
#include "service/read_path.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "tests/support/failpoints.hpp"
#include "tests/support/service_world.hpp"

namespace switchback {
namespace {

using test::FailsWith;
using test::FaultyStore;
using test::IsOk;
using test::Must;
using test::Records;
using test::ScopedFailpoints;
using test::ServiceWorld;

TEST(Router, TheFlagDecidesUnlessItWasRefused) {
  FlagSettings settings;
  settings.enabled = true;
  EXPECT_EQ(DesiredRole(FlagRule(settings), false, "k"), Role::kUnified);
  EXPECT_EQ(DesiredRole(FlagRule(settings), true, "k"), Role::kLegacy);
  EXPECT_EQ(DesiredRole(FlagRule(), false, "k"), Role::kLegacy);
}

TEST(Router, OnlyACoveredStoreServes) {
  for (const Role desired : kRoles) {
    EXPECT_EQ(ServingRole(desired, true, true), desired);
    EXPECT_EQ(ServingRole(desired, true, false), desired);
    EXPECT_EQ(ServingRole(desired, false, true), Other(desired));
    EXPECT_EQ(ServingRole(desired, false, false), std::nullopt);
  }
}

class ReadPathTest : public ::testing::Test {
 protected:
  void OpenWith(int records) {
    world_.Open();
    for (int i = 0; i < records; ++i) Must(world_.Put("c", "k" + std::to_string(i), "v"));
    world_.Drain();
  }
  std::uint64_t Failovers() { return world_.service->GetMetrics().failovers; }

  ServiceWorld world_;
};

TEST_F(ReadPathTest, AFailedReadIsAnsweredByTheOtherStoreAndCountedOnce) {
  OpenWith(3);
  const Collection& c = world_.collection("c");
  for (const Role role : kRoles) {
    SCOPED_TRACE(RoleName(role));
    Must(world_.Flip(role == Role::kUnified ? 100 : 0));
    EXPECT_EQ(world_.Get("c", "k1"), "v");
    const auto before = [&](Operation operation) { return world_.Metrics(role, operation); };
    const auto get = before(Operation::kGet), mget = before(Operation::kMultiGet),
               scan = before(Operation::kScan);
    const std::uint64_t other_errors = world_.Metrics(Other(role), Operation::kGet).errors;
    const std::uint64_t failovers = Failovers();
    const ScopedFailpoints failpoints("backend." + std::string(RoleName(role)) + ".read=error");

    EXPECT_EQ(world_.Get("c", "k1"), "v");
    EXPECT_EQ(world_.Get("c", "none"), "(none)");
    const std::array<std::string_view, 2> keys{"k0", "none"};
    EXPECT_EQ(Must(world_.session().MultiGet(c, keys)),
              (std::vector<std::optional<std::string>>{"v", std::nullopt}));
    EXPECT_EQ(world_.Scan("c").size(), 3u);
    EXPECT_EQ(Must(world_.session().Count(c)), 3u);
    world_.session().EndTurn();

    EXPECT_EQ(world_.Metrics(role, Operation::kGet).errors, get.errors + 2);
    EXPECT_EQ(world_.Metrics(role, Operation::kMultiGet).errors, mget.errors + 1);
    EXPECT_EQ(world_.Metrics(role, Operation::kScan).errors, scan.errors + 2);
    EXPECT_EQ(Failovers(), failovers + 5);
    // An error rate needs the operations on the same side as their errors.
    EXPECT_EQ(world_.Metrics(role, Operation::kGet).latency.Count(), get.latency.Count() + 2);
    EXPECT_EQ(world_.Metrics(role, Operation::kMultiGet).latency.Count(), mget.latency.Count() + 1);
    EXPECT_EQ(world_.Metrics(role, Operation::kScan).latency.Count(), scan.latency.Count() + 2);
    EXPECT_EQ(world_.Metrics(Other(role), Operation::kGet).errors, other_errors);
  }
}

// The failure comes in the middle of a held snapshot: the fast path.
TEST_F(ReadPathTest, AReadThatFailsOnAHeldSnapshotIsCountedOnce) {
  OpenWith(3);
  const Collection& c = world_.collection("c");
  ASSERT_TRUE(Must(world_.session().Get(c, "k0")).has_value());
  {
    const ScopedFailpoints failpoints("backend.legacy.read=error");
    EXPECT_EQ(Must(world_.session().Get(c, "k1")), "v");
  }
  EXPECT_EQ(Must(world_.session().Get(c, "k2")), "v");
  world_.session().EndTurn();

  EXPECT_EQ(world_.Metrics(Role::kLegacy, Operation::kGet).errors, 1u);
  EXPECT_EQ(world_.Metrics(Role::kLegacy, Operation::kGet).latency.Count(), 3u);
  EXPECT_EQ(Failovers(), 1u);
}

TEST_F(ReadPathTest, WhenBothStoresFailTheErrorIsTheStores) {
  OpenWith(3);
  const ScopedFailpoints failpoints("backend.legacy.read=error;backend.unified.read=error");
  const Collection& c = world_.collection("c");
  const std::array<std::string_view, 1> keys{"k0"};

  EXPECT_TRUE(FailsWith(world_.TryGet("c", "k1"), ErrorCode::kIo));
  EXPECT_TRUE(FailsWith(world_.session().MultiGet(c, keys), ErrorCode::kIo));
  EXPECT_TRUE(FailsWith(world_.session().Count(c), ErrorCode::kIo));
  EXPECT_TRUE(FailsWith(world_.service->CollectionNames(), ErrorCode::kIo));
  EXPECT_FALSE(world_.session().Scan(c, "", [](auto, auto) { return true; }));
  EXPECT_EQ(world_.Metrics(Role::kLegacy, Operation::kGet).errors, 1u);
  EXPECT_EQ(world_.Metrics(Role::kUnified, Operation::kGet).errors, 1u);
  EXPECT_EQ(Failovers(), 0u);
}

TEST_F(ReadPathTest, AScanThatFailsBeforeItsFirstRecordIsAnsweredByTheOtherStore) {
  OpenWith(5);
  world_.legacy->FailScansAfter(0);

  EXPECT_EQ(world_.Scan("c").size(), 5u);
  EXPECT_EQ(world_.Metrics(Role::kLegacy, Operation::kScan).errors, 1u);
  EXPECT_EQ(Failovers(), 1u);
}

// What a visitor has seen cannot be taken back, so there is no second attempt.
TEST_F(ReadPathTest, AScanThatFailsHalfWayIsAnErrorAndTheNextReadIsFine) {
  OpenWith(5);
  world_.legacy->FailScansAfter(2);
  std::vector<std::string> seen;

  const Status scanned = world_.session().Scan(world_.collection("c"), "",
                                               [&](std::string_view key, std::string_view) {
                                                 seen.emplace_back(key);
                                                 return true;
                                               });

  EXPECT_TRUE(FailsWith(scanned, ErrorCode::kCorruption));
  EXPECT_EQ(seen, (std::vector<std::string>{"k0", "k1"}));
  EXPECT_EQ(world_.Metrics(Role::kLegacy, Operation::kScan).errors, 1u);
  EXPECT_EQ(Failovers(), 0u);
  world_.legacy->FailScansAfter(-1);
  EXPECT_EQ(world_.Scan("c").size(), 5u);
  EXPECT_EQ(world_.Get("c", "k3"), "v");
}

TEST_F(ReadPathTest, NoStoreInSyncMeansUnavailable) {
  OpenWith(3);
  for (const Role role : kRoles) world_.disk(role).store()->CommitForeign("c", "x", "y");
  world_.clock.Advance(std::chrono::seconds(2));
  for (const Role role : kRoles) ASSERT_TRUE(world_.Becomes(role, FollowerState::kFailed));
  const std::array<std::string_view, 1> keys{"k0"};
  const Collection& c = world_.collection("c");

  EXPECT_TRUE(FailsWith(world_.TryGet("c", "k1"), ErrorCode::kUnavailable));
  EXPECT_TRUE(FailsWith(world_.session().MultiGet(c, keys), ErrorCode::kUnavailable));
  EXPECT_TRUE(FailsWith(world_.session().Count(c), ErrorCode::kUnavailable));
  EXPECT_TRUE(FailsWith(world_.session().Scan(c, "", [](auto, auto) { return true; }),
                        ErrorCode::kUnavailable));
  EXPECT_EQ(Must(world_.session().MultiGet(c, {})).size(), 0u);
}

TEST_F(ReadPathTest, ScansStopWhereTheVisitorSays) {
  OpenWith(10);
  std::vector<std::string> seen;
  Must(world_.session().Scan(world_.collection("c"), "k3", [&](std::string_view key, auto) {
    seen.emplace_back(key);
    return seen.size() < 3;
  }));
  EXPECT_EQ(seen, (std::vector<std::string>{"k3", "k4", "k5"}));
}

TEST_F(ReadPathTest, AHeldTurnStillSeesEveryNewWrite) {
  OpenWith(1);
  const Collection& c = world_.collection("c");
  for (int i = 0; i < 200; ++i) {
    const std::string value = std::to_string(i);
    Must(world_.Put("c", "k0", value));
    if (i % 20 == 0) world_.Drain();
    if (i % 30 == 0) Must(world_.Flip(i % 60 == 0 ? 100 : 0));
    ASSERT_EQ(Must(world_.session().Get(c, "k0")), value);  // without EndTurn
  }
}

// A store that has left service lacks what the memtable has let go of since. Nobody may read it,
// whatever snapshot was being opened at that moment.
TEST_F(ReadPathTest, AStoreThatLeavesDuringAReadIsNotRead) {
  OpenWith(1);
  Must(world_.Flip(100));
  const Collection& c = world_.collection("c");
  const std::array<std::string_view, 1> keys{"k0"};
  std::atomic<int> newest{0};
  for (int i = 0; i < 30; ++i) {
    world_.unified->SetHook(
        [](FaultyStore::Call) -> Status { return Fail(ErrorCode::kIo, "broken"); });
    std::atomic<bool> stop{false};

    std::vector<std::thread> readers;
    for (int kind = 0; kind < 3; ++kind) {
      readers.emplace_back([&, kind] {
        const auto session = world_.service->NewSession();
        while (!stop) {
          const int expected = newest.load();
          std::string value;
          if (kind == 0) value = Must(session->Get(c, "k0")).value_or("-1");
          if (kind == 1) value = Must(session->MultiGet(c, keys)).at(0).value_or("-1");
          if (kind == 2)
            Must(session->Scan(c, "k0", [&](auto, std::string_view seen) {
              value = seen;
              return false;
            }));
          session->EndTurn();
          EXPECT_GE(value == "v" ? 0 : std::stoi(value), expected) << "kind " << kind;
        }
      });
    }
    for (int write = 0; write < 20; ++write) {
      Must(world_.Put("c", "k0", std::to_string(newest + 1)));
      newest = newest + 1;
    }
    EXPECT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));
    world_.unified->SetHook(nullptr);
    stop = true;
    for (std::thread& reader : readers) reader.join();
    if (HasFailure()) break;
  }
}

// --- I4 under everything at once ---

struct StormOptions {
  std::size_t memtable_records = 64;
  bool is_store_failing = false;
};

// Writers count each of their keys up; readers check that no value ever goes back and that what
// was acknowledged before a read began is seen by it.
class Storm {
 public:
  static constexpr int kKeys = 12;
  static constexpr int kWriters = 2;
  static constexpr int kReaders = 3;

  Storm(ServiceWorld& world, unsigned seed) : world_(world), seed_(seed) {
    for (auto& value : acknowledged_) value = 0;
  }

  void Run(std::chrono::milliseconds time, const std::function<void(std::mt19937&)>& disturb) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kWriters; ++i) threads.emplace_back([this, i] { WriteLoop(i); });
    for (int i = 0; i < kReaders; ++i) threads.emplace_back([this, i] { ReadLoop(i); });
    std::mt19937 random(seed_);
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end && !has_failed_) {
      Must(world_.Flip(std::array<double, 3>{0, 25, 100}[random() % 3]));
      disturb(random);
      std::this_thread::yield();
    }
    stop_ = true;
    for (std::thread& thread : threads) thread.join();
  }
  [[nodiscard]] long writes() const { return writes_; }
  [[nodiscard]] long reads() const { return reads_; }

 private:
  static std::string KeyOf(int key) { return "key" + std::to_string(key); }
  static long Number(const std::optional<std::string_view>& value) {
    return value ? std::stol(std::string(*value)) : 0;
  }

  // Each writer has its own keys and writes pairs (2i, 2i+1) with equal values in one batch.
  void WriteLoop(int writer) {
    std::mt19937 random(seed_ * 31 + static_cast<unsigned>(writer));
    const Collection& c = world_.collection("c");
    while (!stop_) {
      const int pair =
          writer * (kKeys / 2 / kWriters) + static_cast<int>(random() % (kKeys / 2 / kWriters));
      const long next = acknowledged_[static_cast<std::size_t>(2 * pair)] + 1;
      const std::string value = std::to_string(next);
      const Status written = world_.service->Write([&](Transaction& transaction) -> Status {
        SB_RETURN_IF_ERROR(transaction.Put(c, KeyOf(2 * pair), value));
        return transaction.Put(c, KeyOf(2 * pair + 1), value);
      });
      if (!written) continue;  // back-pressure
      acknowledged_[static_cast<std::size_t>(2 * pair)] = next;
      acknowledged_[static_cast<std::size_t>(2 * pair + 1)] = next;
      ++writes_;
    }
  }

  void ReadLoop(int reader) {
    std::mt19937 random(seed_ * 17 + static_cast<unsigned>(reader));
    const auto session = world_.service->NewSession();
    const Collection& c = world_.collection("c");
    std::array<long, kKeys> seen{};
    const auto check = [&](int key, long value, long expected, const char* how) {
      const auto at = static_cast<std::size_t>(key);
      if (value < expected || value < seen[at]) {
        has_failed_ = true;
        ADD_FAILURE() << how << " of key " << key << " gave " << value << ", acknowledged was "
                      << expected << ", seen before " << seen[at];
      }
      seen[at] = std::max(seen[at], value);
    };
    while (!stop_ && !has_failed_) {
      const auto action = random() % 4;
      if (action <= 1) {
        const int key = static_cast<int>(random() % kKeys);
        const long expected = acknowledged_[static_cast<std::size_t>(key)];
        const auto value = session->Get(c, KeyOf(key));
        ASSERT_TRUE(IsOk(value));
        check(key, Number(*value), expected, "get");
      } else if (action == 2) {
        const int pair = static_cast<int>(random() % (kKeys / 2));
        const long expected = acknowledged_[static_cast<std::size_t>(2 * pair + 1)];
        const std::string a = KeyOf(2 * pair), b = KeyOf(2 * pair + 1);
        const std::array<std::string_view, 2> keys{a, b};
        const auto values = session->MultiGet(c, keys);
        ASSERT_TRUE(IsOk(values));
        EXPECT_EQ(values->at(0), values->at(1)) << "one point in time";
        check(2 * pair, Number(values->at(0)), expected, "mget");
      } else {
        ScanOnce(*session, c, check);
      }
      if (random() % 2 == 0) session->EndTurn();
      ++reads_;
    }
    session->EndTurn();
  }

  template <class Check>
  void ScanOnce(Session& session, const Collection& c, const Check& check) {
    std::array<long, kKeys> expected{};
    for (std::size_t key = 0; key < kKeys; ++key) expected[key] = acknowledged_[key];
    Records records;
    const Status scanned = session.Scan(c, "", [&](std::string_view key, std::string_view value) {
      records.emplace(key, value);
      return true;
    });
    ASSERT_TRUE(IsOk(scanned));
    for (int key = 0; key < kKeys; ++key) {
      const auto found = records.find(KeyOf(key));
      check(key, found == records.end() ? 0 : std::stol(found->second),
            expected[static_cast<std::size_t>(key)], "scan");
      if (key % 2 == 1) {
        EXPECT_EQ(records[KeyOf(key)], records[KeyOf(key - 1)]) << "one point in time";
      }
    }
  }

  ServiceWorld& world_;
  const unsigned seed_;
  std::array<std::atomic<long>, kKeys> acknowledged_;
  std::atomic<bool> stop_{false}, has_failed_{false};
  std::atomic<long> writes_{0}, reads_{0};
};

TEST_F(ReadPathTest, NoReadIsEverStaleWhateverFlipsMeanwhile) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  world_.options.memtable_record_count_max = 64;
  world_.Open();
  Storm storm(world_, seed);

  storm.Run(std::chrono::seconds(2), [](std::mt19937&) {});

  EXPECT_GT(storm.writes(), 0);
  EXPECT_GT(storm.reads(), 0);
  world_.Drain();
  EXPECT_EQ(world_.Stored(Role::kLegacy), world_.Stored(Role::kUnified));
}

TEST_F(ReadPathTest, NoReadIsEverStaleWhileStoresComeAndGo) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  world_.options.memtable_record_count_max = 256;
  world_.options.log_file_bytes = 16384;
  world_.Open();
  Storm storm(world_, seed);
  ScopedFailpoints failpoints;
  // Of one store at a time: with the other one out of service nobody could answer.
  const std::array<const char*, 5> faults{
      "", "backend.unified.apply=error@3;backend.unified.read=error@5",
      "backend.unified.commit=error@2;backend.unified.read=error@4",
      "backend.unified.committed=error@2",
      "backend.unified.sync=error;backend.unified.apply=error@1"};

  storm.Run(std::chrono::seconds(3),
            [&](std::mt19937& random) { failpoints.Set(faults[random() % faults.size()]); });
  failpoints.Set("");

  EXPECT_GT(storm.writes(), 0);
  for (const Role role : kRoles) ASSERT_TRUE(world_.Becomes(role, FollowerState::kInSync));
  world_.Drain();
  EXPECT_EQ(world_.Stored(Role::kLegacy), world_.Stored(Role::kUnified));
}

}  // namespace
}  // namespace switchback
