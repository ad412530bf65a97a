#include "backends/reader_gate.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace switchback {
namespace {

class FakeReader : public ParkableReader {
 public:
  explicit FakeReader(ReaderGate& gate) : gate_(gate) { gate_.Register(*this); }
  ~FakeReader() override { gate_.Unregister(*this); }
  void DropHandles() noexcept override { ++drop_count; }

  int drop_count = 0;

 private:
  ReaderGate& gate_;
};

constexpr std::chrono::milliseconds kNow{0};

TEST(ReaderGate, LetsReadersInWhileOpen) {
  ReaderGate gate;
  FakeReader one(gate);
  FakeReader two(gate);

  EXPECT_TRUE(gate.Enter(one).has_value());
  EXPECT_TRUE(gate.Enter(two).has_value());
  gate.Leave(one);
  gate.Leave(two);
  EXPECT_TRUE(gate.Close(kNow).has_value());
  gate.Open();
}

TEST(ReaderGate, CloseIsBusyWhileAReaderIsInsideAndLeavesTheGateOpen) {
  ReaderGate gate;
  FakeReader inside(gate);
  FakeReader other(gate);
  ASSERT_TRUE(gate.Enter(inside).has_value());

  const auto closed = gate.Close(kNow);

  ASSERT_FALSE(closed.has_value());
  EXPECT_EQ(closed.error().code, ErrorCode::kBusy);
  EXPECT_TRUE(gate.Enter(other).has_value());
  gate.Leave(other);
  gate.Leave(inside);
}

TEST(ReaderGate, CloseWaitsForTheReaderInside) {
  ReaderGate gate;
  FakeReader inside(gate);
  ASSERT_TRUE(gate.Enter(inside).has_value());
  std::atomic<bool> is_closed{false};
  std::thread owner([&] {
    EXPECT_TRUE(gate.Close(std::chrono::seconds(60)).has_value());
    is_closed = true;
    gate.Open();
  });

  EXPECT_FALSE(is_closed.load());
  gate.Leave(inside);
  owner.join();

  EXPECT_TRUE(is_closed.load());
}

TEST(ReaderGate, ReadersWaitUntilTheGateOpens) {
  ReaderGate gate;
  FakeReader reader(gate);
  ASSERT_TRUE(gate.Close(kNow).has_value());
  std::atomic<bool> is_open{false};
  std::thread entering([&] {
    EXPECT_TRUE(gate.Enter(reader).has_value());
    EXPECT_TRUE(is_open.load());
    gate.Leave(reader);
  });

  is_open = true;
  gate.Open();

  entering.join();
}

TEST(ReaderGate, ShutGateRefusesAtOnce) {
  ReaderGate gate;
  FakeReader reader(gate);
  ASSERT_TRUE(gate.Close(kNow).has_value());
  gate.Shut();
  gate.Open();

  const auto entered = gate.Enter(reader);

  ASSERT_FALSE(entered.has_value());
  EXPECT_EQ(entered.error().code, ErrorCode::kUnavailable);
}

TEST(ReaderGate, HandlesDropBehindTheClosedGateAndAtTheEnd) {
  ReaderGate gate;
  FakeReader reader(gate);
  {
    const ClosedGate closed(gate, kNow);
    ASSERT_TRUE(closed.status().has_value());
    gate.DropAllHandles();
  }

  EXPECT_EQ(reader.drop_count, 1);
  EXPECT_TRUE(gate.Enter(reader).has_value());
  gate.Leave(reader);
}

// The gate's purpose: what the owner changes behind it is never seen half changed.
// A reader raises its flag before it sees that the gate is closed, and the owner may see that. It
// takes some 30 ns, hence the many rounds.
TEST(ReaderGate, HandlesDropWhileReadersKnockAtTheClosedGate) {
  ReaderGate gate;
  std::atomic<bool> is_done{false};
  const auto read = [&] {
    FakeReader reader(gate);
    while (!is_done.load(std::memory_order_relaxed)) {
      if (gate.Enter(reader)) gate.Leave(reader);
    }
  };
  std::thread one(read);
  std::thread two(read);
  FakeReader parked(gate);

  constexpr int kRounds = 500'000;
  for (int i = 0; i < kRounds; ++i) {
    const ClosedGate closed(gate, std::chrono::seconds(60));
    ASSERT_TRUE(closed.status().has_value());
    gate.DropAllHandles();
  }
  is_done = true;
  one.join();
  two.join();

  EXPECT_EQ(parked.drop_count, kRounds);
}

TEST(ReaderGate, NoReaderIsInsideWhileItIsClosed) {
  ReaderGate gate;
  int first = 0;  // plain on purpose: ThreadSanitizer sees any overlap
  int second = 0;
  std::atomic<bool> is_done{false};
  std::atomic<int> torn_count{0};
  const auto read = [&] {
    FakeReader reader(gate);
    while (!is_done.load(std::memory_order_relaxed)) {
      if (!gate.Enter(reader)) continue;
      if (first != second) ++torn_count;
      gate.Leave(reader);
    }
  };
  std::thread one(read);
  std::thread two(read);

  for (int i = 0; i < 300; ++i) {
    const ClosedGate closed(gate, std::chrono::seconds(60));
    ASSERT_TRUE(closed.status().has_value());
    ++first;
    ++second;
  }
  is_done = true;
  one.join();
  two.join();

  EXPECT_EQ(torn_count, 0);
  EXPECT_EQ(first, 300);
}

TEST(ReaderGateDeathTest, ClosingTwiceIsABrokenInvariant) {
  ReaderGate gate;
  ASSERT_TRUE(gate.Close(kNow).has_value());
  EXPECT_DEATH(static_cast<void>(gate.Close(kNow)), "closes it once");
  gate.Open();
}

}  // namespace
}  // namespace switchback
